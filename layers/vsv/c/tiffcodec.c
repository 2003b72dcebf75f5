/* vsv._tiffcodec: TIFF's LZW and its horizontal differences, which Python is too slow for.
 *
 * Source: TIFF 6.0, sections 13 and 14. One binary serves every Python from 3.11 on. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

enum { CLEAR = 256, END = 257, FIRST_FREE = 258, CODES = 4096, FEWEST_BITS = 9, MOST_BITS = 12 };

/* Decodes to at most `room` bytes, and returns how many there are; -1 where the codes are damaged. */
static Py_ssize_t decode(const uint8_t *data, Py_ssize_t length, uint8_t *output, Py_ssize_t room) {
  /* A code stands for the string of another code and one byte more. */
  uint16_t before[CODES], size[CODES];
  uint8_t last[CODES], first[CODES];
  uint32_t bits = 0;
  int held = 0, width = FEWEST_BITS, next = FIRST_FREE, previous = -1;
  Py_ssize_t read = 0, written = 0;
  for (int code = 0; code < CLEAR; code++) {
    before[code] = 0;
    size[code] = 1;
    first[code] = last[code] = (uint8_t)code;
  }
  while (written < room) {
    while (held < width) {
      if (read == length) {
        return written;
      }
      bits = bits << 8 | data[read++];
      held += 8;
    }
    int code = (int)(bits >> (held - width)) & ((1 << width) - 1);
    held -= width;
    if (code == END) {
      return written;
    }
    if (code == CLEAR) {
      width = FEWEST_BITS;
      next = FIRST_FREE;
      previous = -1;
      continue;
    }
    int is_known = code < (previous < 0 ? CLEAR : next);
    if (!is_known && (previous < 0 || code > next || next == CODES)) {
      return -1;
    }
    if (previous >= 0 && next < CODES) { /* an encoder begins again before the table is full */
      before[next] = (uint16_t)previous;
      size[next] = size[previous] + 1;
      first[next] = first[previous];
      last[next] = code == next ? first[previous] : first[code];
      next++;
    }
    previous = code;
    /* From its last byte to its first; what does not fit is left out. */
    Py_ssize_t end = written + size[code];
    for (Py_ssize_t at = end - 1; at >= written; at--) {
      if (at < room) {
        output[at] = last[code];
      }
      code = before[code];
    }
    written = end < room ? end : room;
    /* Codes grow one code early. */
    if (next + 1 >= 1 << width && width < MOST_BITS) {
      width++;
    }
  }
  return written;
}

PyDoc_STRVAR(lzw_decode_doc,
             "lzw_decode(data: bytes, length: int) -> bytes | None\n"
             "\n"
             "Return the first `length` bytes, or fewer where there are no more. None where the codes\n"
             "are damaged. Other threads run in the meantime.");

static PyObject *lzw_decode(PyObject *self, PyObject *arguments) {
  Py_buffer data;
  Py_ssize_t length, written;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "y*n", &data, &length)) {
    return NULL;
  }
  if (length < 0) {
    PyBuffer_Release(&data);
    PyErr_SetString(PyExc_ValueError, "a negative length");
    return NULL;
  }
  uint8_t *output = PyMem_Malloc((size_t)length + 1);
  if (!output) {
    PyBuffer_Release(&data);
    return PyErr_NoMemory();
  }
  Py_BEGIN_ALLOW_THREADS
  written = decode(data.buf, data.len, output, length);
  Py_END_ALLOW_THREADS
  PyBuffer_Release(&data);
  PyObject *result = written < 0 ? Py_NewRef(Py_None)
                                 : PyBytes_FromStringAndSize((const char *)output, written);
  PyMem_Free(output);
  return result;
}

PyDoc_STRVAR(undo_differences_doc,
             "undo_differences(data: bytes, width: int, samples: int) -> bytes\n"
             "\n"
             "Return rows of `width` pixels, of `samples` bytes each, that were stored as differences\n"
             "from the pixel to the left (predictor 2).");

static PyObject *undo_differences(PyObject *self, PyObject *arguments) {
  Py_buffer data;
  Py_ssize_t width, samples;
  (void)self;
  if (!PyArg_ParseTuple(arguments, "y*nn", &data, &width, &samples)) {
    return NULL;
  }
  PyObject *result = NULL;
  if (width < 1 || samples < 1 || samples > 16 || width > PY_SSIZE_T_MAX / samples) {
    PyErr_SetString(PyExc_ValueError, "rows of no pixels, or pixels of other than 1 to 16 bytes");
  } else if ((result = PyBytes_FromStringAndSize(data.buf, data.len))) {
    uint8_t *bytes = (uint8_t *)PyBytes_AsString(result);
    Py_ssize_t row = width * samples;
    for (Py_ssize_t at = 0; at < data.len; at++) {
      if (at % row >= samples) {
        bytes[at] = (uint8_t)(bytes[at] + bytes[at - samples]);
      }
    }
  }
  PyBuffer_Release(&data);
  return result;
}

static PyMethodDef methods[] = {
    {"lzw_decode", lzw_decode, METH_VARARGS, lzw_decode_doc},
    {"undo_differences", undo_differences, METH_VARARGS, undo_differences_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "vsv._tiffcodec",
    .m_doc = "TIFF's LZW and horizontal differences.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__tiffcodec(void);

PyMODINIT_FUNC PyInit__tiffcodec(void) { return PyModuleDef_Init(&module); }
