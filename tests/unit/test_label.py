"""Reading the label: what is read, and what is said where nothing is."""

import subprocess
import sys

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageFilter

from vsv.settings import ExtractMetadataSettings
from vsv.slides import barcode_reader as label
from vsv.slides.barcode_reader import read_barcode as read_with_settings

# On a busy machine a process may need seconds to start: no test depends on how long it takes.
PATIENT_S = 60
DEFAULT_PATTERN = r"[!-~](?:[ -~]{0,62}[!-~])?"
ALL_FORMATS = ("DataMatrix", "QRCode", "Code128", "PDF417", "Aztec")


def read_barcode(paper, pattern=".+", formats=("DataMatrix",), search_s=0):
    return read_with_settings(paper, pattern, formats, search_s)


def matrix(text, kind=zxingcpp.BarcodeFormat.DataMatrix, scale=6, **options) -> Image.Image:
    code = zxingcpp.create_barcode(text, kind, **options)
    return Image.fromarray(np.asarray(code.to_image(scale=scale)))


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


def test_a_blurred_label_is_read():
    paper = labelled(matrix("S26-04711-A1")).filter(ImageFilter.GaussianBlur(1.5))
    assert read_barcode(paper).text == "S26-04711-A1"


def test_a_label_of_many_megapixels_is_read():
    paper = labelled(matrix("S26-04711-A1")).resize((6400, 3200))
    assert read_barcode(paper).text == "S26-04711-A1"


@pytest.mark.parametrize(
    ("codes", "pattern", "text", "reason"),
    [
        ([], ".*", None, "no code on the label"),
        (["BATCH 7", "S26-1-A"], r"S\d\d-.*", "S26-1-A", None),
        (["S26-1-A", "S26-1-A"], ".*", "S26-1-A", None),
        (["S26-1-A", "S26-2-A"], ".*", None, "2 different codes on the label"),
        (
            ["BATCH 7"],
            r"S\d\d-.*",
            None,
            "a code was read, but its text does not match the pattern",
        ),
    ],
)
def test_the_pattern_decides_and_two_candidates_are_none(codes, pattern, text, reason):
    barcode = read_barcode(labelled(*map(matrix, codes)), pattern)
    assert (barcode.text, barcode.reason) == (text, reason)


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_a_format_is_read_only_where_it_is_asked_for(kind):
    scale = 3 if kind in ("Code128", "PDF417") else 5
    paper = labelled(matrix("S26-1-A", getattr(zxingcpp.BarcodeFormat, kind), scale))
    assert read_barcode(paper, formats=ALL_FORMATS).text == "S26-1-A"
    others = [name for name in ALL_FORMATS if name != kind]
    assert read_barcode(paper, formats=others).reason == "no code on the label"


def test_codes_of_different_formats_are_candidates_alike():
    qr = zxingcpp.BarcodeFormat.QRCode
    same = labelled(matrix("S26-1-A"), matrix("S26-1-A", qr))
    assert read_barcode(same, formats=ALL_FORMATS).text == "S26-1-A"
    different = labelled(matrix("S26-1-A"), matrix("S26-2-A", qr))
    assert read_barcode(different, formats=ALL_FORMATS).reason == "2 different codes on the label"
    assert read_barcode(different).text == "S26-1-A"


@pytest.mark.parametrize(
    "text",
    ["S26-04711\x1dA1\x1d07", "\x1dS26-04711-A1", "[)>\x1e06\x1dS26-04711-A1\x1e\x04", "S26\x00"],
)
@pytest.mark.parametrize("pattern", [DEFAULT_PATTERN, r"(?s).+"])
def test_a_text_with_control_characters_is_no_slide_id(text, pattern):
    barcode = read_barcode(labelled(matrix(text)), pattern)
    assert barcode.text is None
    assert barcode.reason == "a code was read, but its text does not match the pattern"


@pytest.mark.parametrize("text", ["Müller-1", "S26-日本", "S26 €"])
def test_a_code_in_latin_1_or_another_encoding_has_its_own_characters(text):
    assert read_barcode(labelled(matrix(text))).text == text
    assert read_barcode(labelled(matrix(text)), DEFAULT_PATTERN).text is None


def test_the_line_break_that_a_printer_appends_is_not_part_of_the_id():
    assert read_barcode(labelled(matrix("S26-04711-A1\r\n"))).text == "S26-04711-A1"


@pytest.mark.parametrize(("length", "fits"), [(64, True), (65, False)])
def test_a_slide_id_has_at_most_64_characters(length, fits):
    assert (read_barcode(labelled(matrix("A" * length, scale=3))).text is not None) is fits


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            """1010101010 1100101001 1000011100 1011011111 1101111100
               1001001001 1110000110 1110111011 1110001110 1111111111""",
            "01A",
        ),
        (
            """1010101010 1010000001 1000000110 1010001111 1110010100
               1011011001 1101101110 1011111111 1101011110 1111111111""",
            "A\x1d",
        ),
    ],
)
def test_gs1_elements_are_the_codes_own_characters_without_parentheses(rows, text):
    """The codes begin with FNC1; a later one separates elements as U+001D."""
    assert label._read_zxing(label._draw(rows.split()), ["DataMatrix"]) == [text]


# What zxing-cpp misses at first


def test_a_small_code_that_is_found_only_on_the_enlarged_label(monkeypatch):
    calls = stand_in(monkeypatch, "pass")
    paper = labelled(matrix("S26-04711-A1")).resize((230, 115), Image.Resampling.BOX)
    assert read_barcode(paper).text is None
    assert read_barcode(paper, search_s=PATIENT_S).text == "S26-04711-A1"
    assert not calls


def test_the_search_ends_with_its_time(monkeypatch):
    """A label is looked at once, however little time there is."""
    sizes = []
    monkeypatch.setattr(label, "_read_zxing", lambda gray, formats: sizes.append(gray.size) or [])
    read_barcode(labelled(), search_s=0)
    assert sizes == [(800, 400)]
    read_barcode(Image.new("L", (3000, 3000)), search_s=PATIENT_S)
    assert sizes[1:] == [(1500, 1500), (1500, 1500), *[(750, 750)] * 3]


@pytest.fixture
def missed(monkeypatch):
    """Have zxing-cpp find nothing on labels; it decodes what libdmtx finds there."""
    read = label._read_zxing

    def read_symbols(gray, formats):
        # A symbol is drawn with four pixels a module; labels are larger.
        return [] if gray.width >= 400 else read(gray, formats)

    monkeypatch.setattr(label, "_read_zxing", read_symbols)


@pytest.mark.usefixtures("missed")
@pytest.mark.parametrize(
    "text",
    [
        "1",
        "S26-04711-A1",
        "Müller-1",
        pytest.param("0123456789" * 6 + "x", id="long"),
    ],
)
@pytest.mark.slow
def test_what_zxing_misses_libdmtx_finds(text):
    paper = labelled(matrix(text)).rotate(10, fillcolor=(240, 238, 230))
    assert read_barcode(paper, search_s=PATIENT_S).text == text


@pytest.mark.parametrize(("length", "scale"), [(200, 3), (400, 3)])
def test_a_symbol_of_many_regions_is_found(length, scale):
    text = ("S26-04711-A1 " * 40)[:length].strip()
    paper = labelled(matrix(text, scale=scale)).convert("L")
    assert label._read_libdmtx(paper, PATIENT_S) == [text]


@pytest.mark.usefixtures("missed")
def test_a_rectangular_symbol_is_found():
    paper = labelled(matrix("S26-04711-A1", options="ForceRectangle"))
    assert read_barcode(paper, search_s=PATIENT_S).text == "S26-04711-A1"


@pytest.mark.usefixtures("missed")
def test_libdmtx_looks_for_all_symbols():
    paper = labelled(matrix("S26-1-A"), matrix("S26-2-A"))
    assert read_barcode(paper, search_s=PATIENT_S).reason == "2 different codes on the label"
    assert read_barcode(paper, "S26-2-.", search_s=PATIENT_S).text == "S26-2-A"


def test_an_invalid_symbol_that_libdmtx_would_read_is_not_read():
    """Its error correction is right, its first codeword is none that Data Matrix has.

    libdmtx reads "AB".
    """
    rows = [
        "1010101010",
        "1010110101",
        "1000110010",
        "1010101001",
        "1011011000",
        "1001100001",
        "1001101000",
        "1110111111",
        "1100001100",
        "1111111111",
    ]
    assert label._read_zxing(label._draw(rows), ["DataMatrix"]) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 500), (15, 15), (17, 16)])
def test_a_label_too_small_for_a_code_has_none(size):
    """libdmtx aborts its process on an image of up to 2 x 2 pixels."""
    barcode = read_barcode(Image.new("RGB", size, "white"), search_s=PATIENT_S)
    assert barcode.reason == "no code on the label"


def stand_in(monkeypatch, code):
    """Start this Python code in libdmtx's place; return the arguments that it is started with."""
    calls = []

    def run(command, **options):
        calls.append((command, options))
        return subprocess_run([sys.executable, "-c", code, *command[3:]], **options)

    subprocess_run = subprocess.run
    monkeypatch.setattr(subprocess, "run", run)
    return calls


SYMBOL = " ".join(
    "".join("01"[int(pixel < 128)] for pixel in row)
    for row in np.asarray(
        zxingcpp.create_barcode("S26-1-A", zxingcpp.BarcodeFormat.DataMatrix).to_image(scale=1)
    )[1:-1, 1:-1]
)


@pytest.mark.parametrize(
    "end", ["import os; os.abort()", "raise SystemExit(1)", "print('10 1', end='', flush=True)"]
)
def test_however_the_process_ends_what_it_had_found_counts(monkeypatch, end):
    stand_in(monkeypatch, f"print({SYMBOL!r}, flush=True); {end}")
    assert read_barcode(labelled(), search_s=PATIENT_S).text == "S26-1-A"


def test_a_process_that_crashes_at_once_has_found_nothing(monkeypatch):
    stand_in(monkeypatch, "import os; os.abort()")
    assert read_barcode(labelled(), search_s=PATIENT_S).reason == "no code on the label"


def test_a_search_that_overruns_its_time_is_ended(monkeypatch):
    """It would go on for an hour."""
    monkeypatch.setattr(label, "_RETRIES", ())
    calls = stand_in(monkeypatch, "import time; time.sleep(3600)")
    assert read_barcode(Image.new("L", (20, 20)), search_s=0.2).reason == "no code on the label"
    (command, options), *more = calls
    assert not more
    assert options["timeout"] <= 0.2
    assert command[1:3] == ["-m", "vsv.slides.libdmtx"]


def test_libdmtx_is_asked_only_where_nothing_else_was_found(monkeypatch):
    calls = stand_in(monkeypatch, "pass")
    read_barcode(labelled(matrix("S26-1-A")), search_s=PATIENT_S)
    assert not calls
    read_barcode(labelled(matrix("S26-1-A")), "X.*", search_s=PATIENT_S)
    assert len(calls) == 1
    read_barcode(labelled(), formats=["QRCode"], search_s=PATIENT_S)
    assert len(calls) == 1, "it knows no other format than Data Matrix"


def test_the_formats_that_a_deployment_reads():
    assert ExtractMetadataSettings.read({}).barcode_formats == ("DataMatrix",)
    settings = ExtractMetadataSettings.read({"BARCODE_FORMATS": "QRCode, DataMatrix,QRCode"})
    assert settings.barcode_formats == ("QRCode", "DataMatrix")
    with pytest.raises(ValueError, match="BARCODE_FORMATS has 'EAN13', which is not one of Data"):
        ExtractMetadataSettings.read({"BARCODE_FORMATS": "DataMatrix,EAN13"})
