"""Reading the label: what is read, and what is said where nothing is."""

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageFilter

from vsv import label
from vsv.label import read_barcode as read_with_pattern


def read_barcode(paper, pattern=".+"):
    return read_with_pattern(paper, pattern)


def matrix(text, kind=zxingcpp.BarcodeFormat.DataMatrix, scale=6) -> Image.Image:
    return Image.fromarray(np.asarray(zxingcpp.create_barcode(text, kind).to_image(scale=scale)))


def labelled(*codes: Image.Image) -> Image.Image:
    paper = Image.new("RGB", (800, 400), (240, 238, 230))
    for number, code in enumerate(codes):
        paper.paste(code, (60 + number * 300, 80))
    return paper


@pytest.mark.parametrize("text", ["S26-04711-A1", "x", "S26 04711/A-1", "1004486"])
@pytest.mark.parametrize("turned", [0, 90, 17])
def test_a_data_matrix_is_read_however_the_label_lies(text, turned):
    paper = labelled(matrix(text)).rotate(turned, expand=True, fillcolor=(240, 238, 230))
    assert read_barcode(paper).text == text


def test_what_zxing_misses_libdmtx_reads(monkeypatch):
    monkeypatch.setattr(label, "_read_zxing", lambda gray: [])
    monkeypatch.setattr(label, "_LIBDMTX_TIMEOUT_MS", 5000)
    assert read_barcode(labelled(matrix("S26-1-A"))).text == "S26-1-A"


def test_a_blurred_label_is_read():
    paper = labelled(matrix("S26-04711-A1")).filter(ImageFilter.GaussianBlur(1.5))
    assert read_barcode(paper).text == "S26-04711-A1"


@pytest.mark.parametrize(
    ("codes", "pattern", "text", "reason"),
    [
        ([], ".*", None, "no barcode"),
        (["BATCH 7", "S26-1-A"], r"S\d\d-.*", "S26-1-A", None),
        (["S26-1-A", "S26-1-A"], ".*", "S26-1-A", None),
        (["S26-1-A", "S26-2-A"], ".*", None, "2 different barcodes"),
        (["BATCH 7"], r"S\d\d-.*", None, "no barcode that is a slide ID"),
    ],
)
def test_the_pattern_decides_and_two_candidates_are_none(codes, pattern, text, reason):
    barcode = read_barcode(labelled(*map(matrix, codes)), pattern)
    assert barcode.text == text
    assert (reason is None) == (barcode.reason is None)
    assert reason is None or reason in barcode.reason


def test_other_codes_on_the_label_are_no_slide_ids():
    qr = matrix("https://example.com", zxingcpp.BarcodeFormat.QRCode, 4)
    assert read_barcode(labelled(qr)).text is None
