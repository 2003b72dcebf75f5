"""Lengths and areas in the viewer, by mouse, touch and keyboard."""

import math
import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.backend import Backend, sign_in
from tests.web.conftest import watched_page

UNITS = {"µm": 1, "mm": 1000}


def open_slide(page: Page, backend: Backend, route: str) -> None:
    page.goto(f"{backend.url}/#slide={route}")
    sign_in(page)
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')


def in_um(text: str) -> float:
    """Return the length that a text names."""
    value, unit = re.search(r"([\d.,]+) (µm|mm)$", text.strip()).groups()
    return float(value.replace(",", "")) * UNITS[unit]


def results(page: Page) -> Locator:
    return page.locator("#measure-panel li strong")


def draw(page: Page, *points: tuple[float, float]) -> None:
    """Click each point, and the last one twice."""
    for point in points[:-1]:
        page.mouse.click(*point)
    page.mouse.dblclick(*points[-1])


@pytest.mark.parametrize("rotation", [0, 37])
@pytest.mark.parametrize("zoom", [0.05, 0.125, 1, 2])
def test_a_length_agrees_with_the_scale_bar(
    page: Page, backend: Backend, zoom: float, rotation: int
):
    open_slide(page, backend, f"1001&x=20000&y=15000&zoom={zoom}&rotation={rotation}")
    bar = page.locator("#scale-bar-line").bounding_box()
    page.keyboard.press("m")
    # three of its lengths, so that a whole pixel of the mouse is little
    x, y, width = 420, 330, bar["width"] * 3
    draw(page, (x, y), (x + round(width), y))
    measured = in_um(results(page).text_content()) * width / round(width) / 3
    assert measured == pytest.approx(in_um(page.locator("#scale-bar").text_content()), rel=0.005)


def test_lengths_and_areas_are_measured_moved_copied_and_deleted(page: Page, backend: Backend):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_slide(page, backend, "1001&x=20000&y=15000&zoom=0.5")
    stored = page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    page.click("[data-action=measure]")
    draw(page, (400, 300), (700, 300), (700, 400))
    expect(results(page)).to_have_text(["200 µm"])  # 400 screen pixels, 800 of the slide

    page.get_by_role("button", name="Area", exact=True).click()
    draw(page, (400, 450), (600, 450), (600, 550), (400, 550))
    expect(results(page)).to_have_text(["200 µm", "5,000 µm²"])

    handle = page.get_by_role("button", name="Length 1, point 3").bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(700, 500, steps=5)
    page.mouse.up()
    expect(results(page)).to_have_text(["250 µm", "5,000 µm²"])

    page.get_by_role("button", name="Copy as text").click()
    expect(page.locator("#viewer-notice")).to_contain_text("copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == "Length 1: 250 µm\nArea 1: 5,000 µm²"
    page.get_by_role("button", name="Delete Length 1").click()
    expect(results(page)).to_have_text(["5,000 µm²"])
    page.get_by_role("button", name="Delete all").click()
    expect(page.locator(".measurement:not(.draft)")).to_have_count(0)
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage])") == stored


def test_measuring_takes_no_mouse(page: Page, backend: Backend):
    open_slide(page, backend, "1001&x=20000&y=15000&zoom=0.5")
    page.keyboard.press("m")
    page.keyboard.press("Space")
    page.evaluate("location.replace('#slide=1001&x=20800&y=15000&zoom=0.5')")
    page.wait_for_url("**x=20800**")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(results(page)).to_have_text(["200 µm"])
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Length 1, point 2").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(results(page)).to_have_text(["205 µm"])
    page.keyboard.press("ArrowLeft")
    expect(results(page)).to_have_text(["204.5 µm"])
    page.locator(".measure-label").first.focus()
    page.keyboard.press("ArrowDown")
    expect(results(page)).to_have_text(["204.5 µm"])
    page.keyboard.press("Delete")
    expect(results(page)).to_have_count(0)


def test_a_drawing_is_taken_back_point_by_point(page: Page, backend: Backend):
    open_slide(page, backend, "1001&x=20000&y=15000&zoom=0.5")
    page.keyboard.press("Shift+M")
    points = page.locator(".draft .measure-handle")
    for number in range(1, 4):
        page.keyboard.press("Space")
        expect(points).to_have_count(number)
    page.keyboard.press("Backspace")
    expect(points).to_have_count(2)
    page.keyboard.press("Enter")
    expect(points).to_have_count(2)  # too few for an area
    page.keyboard.press("Escape")
    expect(points).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Area", exact=True)).to_have_attribute(
        "aria-pressed", "false"
    )
    page.keyboard.press("Escape")
    expect(page.locator("#measure-panel")).to_be_hidden()


def test_measuring_by_touch(browser: Browser, backend: Backend):
    with watched_page(browser, has_touch=True) as page:
        open_slide(page, backend, "1001&x=20000&y=15000&zoom=0.5")
        page.locator("[data-action=measure]").tap()
        for count, point in enumerate([(420, 300), (720, 300), (720, 600)], start=1):
            page.touchscreen.tap(*point)
            expect(page.locator(".draft .measure-handle")).to_have_count(count)
        page.get_by_role("button", name="Finish").tap()
        expect(results(page)).to_have_text(["300 µm"])


def test_without_a_pixel_size_results_are_in_pixels_and_say_so(page: Page, backend: Backend):
    open_slide(page, backend, "1005&x=20000&y=15000&zoom=0.5")
    page.keyboard.press("m")
    expect(page.locator("#measure-panel")).to_contain_text("pixel size of this slide is unknown")
    draw(page, (400, 300), (700, 300))
    expect(results(page)).to_have_text(["600 px"])


def test_measurements_follow_the_slide_and_end_with_it(page: Page, backend: Backend):
    open_slide(page, backend, "1001&x=20000&y=15000&zoom=0.5")
    page.keyboard.press("m")
    draw(page, (400, 300), (700, 300))
    label = page.locator(".measure-label").first
    before = label.bounding_box()
    page.keyboard.press("ArrowRight")
    expect(label).not_to_have_attribute("x", str(before["x"]))
    page.evaluate("location.replace('#slide=1001&x=20000&y=15000&zoom=1&rotation=90')")
    expect(page.locator("#rotation")).to_be_visible()
    points = page.locator(".measurement:not(.draft) .measure-handle")
    one, other = (points.nth(index).bounding_box() for index in range(2))
    assert math.hypot(one["x"] - other["x"], one["y"] - other["y"]) == pytest.approx(600, abs=1)
    expect(results(page)).to_have_text(["150 µm"])
    page.evaluate("location.replace('#slide=1002')")
    expect(page.locator("#slide-name")).to_contain_text("1002")
    expect(results(page)).to_have_count(0)
