/* vsv._halving: what halving.h offers, for Python. One binary serves every Python from 3.11 on. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "halving.h"

enum { MOST_TILES = 16 };

PyDoc_STRVAR(halve_doc,
             "halve(tiles: tuple[bytes, ...], cols: int, width: int, height: int) -> bytes | None\n"
             "\n"
             "Return JPEG tiles of one size, given by rows of cols, side by side at half their size:\n"
             "planes of Y, Cb and Cr, one after the other. Return None where one of them is damaged\n"
             "or of a kind that is not decoded here (see halving.h). Other threads run at the same\n"
             "time.");

static PyObject *halve(PyObject *self, PyObject *arguments) {
  PyObject *sequence;
  int cols, width, height, failed;
  struct tile tiles[MOST_TILES];
  (void)self;
  if (!PyArg_ParseTuple(arguments, "O!iii", &PyTuple_Type, &sequence, &cols, &width, &height)) {
    return NULL;
  }
  Py_ssize_t count = PyTuple_Size(sequence);
  if (count < 1 || count > MOST_TILES || cols < 1 || count % cols || width < 1 || height < 1) {
    PyErr_SetString(PyExc_ValueError, "1 to 16 tiles in full rows, of at least a pixel");
    return NULL;
  }
  for (Py_ssize_t i = 0; i < count; i++) {
    char *data;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(PyTuple_GetItem(sequence, i), &data, &length)) {
      return NULL;
    }
    tiles[i].data = (const uint8_t *)data;
    tiles[i].length = (size_t)length;
  }
  if (width > HALVING_MOST_SIDE || height > HALVING_MOST_SIDE) {
    Py_RETURN_NONE;
  }
  Py_ssize_t samples = count * (width / 2) * (height / 2);
  PyObject *planes = PyBytes_FromStringAndSize(NULL, 3 * samples);
  if (!planes) {
    return NULL;
  }
  uint8_t *output = (uint8_t *)PyBytes_AsString(planes);
  Py_BEGIN_ALLOW_THREADS
  failed = halve_tiles(tiles, (int)count, cols, width, height, output);
  Py_END_ALLOW_THREADS
  if (failed) {
    Py_DECREF(planes);
    Py_RETURN_NONE;
  }
  return planes;
}

static PyMethodDef methods[] = {{"halve", halve, METH_VARARGS, halve_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "vsv._halving",
    .m_doc = "JPEG tiles at half their size.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__halving(void);

PyMODINIT_FUNC PyInit__halving(void) { return PyModuleDef_Init(&module); }
