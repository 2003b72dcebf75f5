"""The viewer's tools: keys, adjustments, rotation, links and pictures."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.web.backend import sign_in

NUMBERS = "() => { const v = document.querySelector('#viewer').osd.viewport; return %s; }"


@pytest.fixture
def viewer(page: Page, backend) -> Page:
    """Open a slide of 40x with a known pixel size."""
    page.goto(f"{backend.url}/#slide=1001")
    sign_in(page)
    page.wait_for_selector('#viewer[data-viewer-ready="true"]')
    return page


def settled(page: Page, expression: str):
    """Return a value of the viewport once no animation runs."""
    page.evaluate(
        """() => new Promise((done) => {
            const osd = document.querySelector('#viewer').osd;
            const look = () => osd.isAnimating() ? requestAnimationFrame(look) : done();
            requestAnimationFrame(() => requestAnimationFrame(look));
        })"""
    )
    return page.evaluate(NUMBERS % expression)


def test_keys_work_wherever_the_focus_is(viewer: Page):
    viewer.locator("#sign-out").focus()
    before = settled(viewer, "v.getZoom()")
    viewer.keyboard.press("+")
    assert settled(viewer, "v.getZoom()") > before
    viewer.keyboard.press("r")
    expect(viewer.locator("#rotation")).to_have_text("Turned by 90°")
    viewer.keyboard.press(",")
    expect(viewer.locator("#rotation")).to_have_text("Turned by 85°")
    viewer.click("#rotation")
    expect(viewer.locator("#rotation")).to_be_hidden()
    x = settled(viewer, "v.getCenter().x")
    viewer.keyboard.press("ArrowRight")
    assert settled(viewer, "v.getCenter().x") > x
    viewer.keyboard.press("Shift+f")
    assert not settled(viewer, "v.getFlip()")


def test_the_question_mark_lists_the_keys_and_single_ones_can_be_switched_off(viewer: Page):
    viewer.keyboard.press("?")
    dialog = viewer.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("save the picture")
    viewer.keyboard.press("r")
    dialog.get_by_role("checkbox").uncheck()
    viewer.keyboard.press("Escape")
    expect(viewer.locator("#rotation")).to_be_hidden()
    viewer.keyboard.press("r")
    viewer.keyboard.press("?")
    expect(viewer.get_by_role("dialog")).to_have_count(0)
    assert settled(viewer, "v.getRotation()") == 0
    viewer.click("#keys")
    viewer.get_by_role("dialog").get_by_role("checkbox").check()
    viewer.keyboard.press("Escape")
    viewer.keyboard.press("r")
    expect(viewer.locator("#rotation")).to_have_text("Turned by 90°")


def middle(page: Page) -> np.ndarray:
    box = page.locator("#viewer").bounding_box()
    clip = {"x": box["x"] + box["width"] / 2 - 100, "y": 250, "width": 200, "height": 150}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"), float)


def set_slider(page: Page, name: str, value: float) -> None:
    page.locator(f"[data-adjust={name}]").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )


def test_adjustments_change_the_display_and_are_remembered_for_the_slide(viewer: Page, backend):
    scanned = middle(viewer)
    viewer.keyboard.press("c")
    set_slider(viewer, "gamma", 2)
    expect(viewer.locator('[data-action="adjust"]')).to_have_attribute("data-on", "")
    viewer.click('[data-action="adjust"]')
    adjusted = middle(viewer)
    assert np.abs(adjusted - 255 * np.sqrt(scanned / 255)).mean() < 2
    # Another slide is as it was scanned; this one stays adjusted, also after a reload.
    viewer.goto(f"{backend.url}/#slide=1002")
    expect(viewer.locator("#slide-name")).to_contain_text("1002")
    viewer.wait_for_selector('#viewer[data-viewer-ready="true"]')
    expect(viewer.locator('[data-action="adjust"]')).not_to_have_attribute("data-on", "")
    settled(viewer, "0")  # an animation's end writes the address of the slide that is shown
    viewer.goto(f"{backend.url}/#slide=1001")
    expect(viewer.locator("#slide-name")).to_contain_text("1001")
    viewer.reload()
    viewer.wait_for_selector('#viewer[data-viewer-ready="true"]')
    assert np.abs(middle(viewer) - adjusted).mean() < 1
    viewer.keyboard.press("c")
    viewer.get_by_role("button", name="As scanned").click()
    viewer.click('[data-action="adjust"]')
    assert np.abs(middle(viewer) - scanned).mean() < 1
    viewer.keyboard.press("c")
    set_slider(viewer, "contrast", 2)
    with viewer.expect_event("load"):  # the way back from the hosted sign-out
        viewer.click("#sign-out")
    expect(viewer.locator("body")).to_have_attribute("data-state", "signed-out")
    assert viewer.evaluate("localStorage.getItem('vsv.adjustments')") is None


def test_a_drag_with_shift_turns_the_slide(viewer: Page):
    box = viewer.locator("#viewer").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    viewer.keyboard.down("Shift")
    viewer.mouse.move(x + 200, y)
    viewer.mouse.down()
    viewer.mouse.move(x + 141, y + 141, steps=10)
    viewer.mouse.up()
    viewer.keyboard.up("Shift")
    assert settled(viewer, "v.getRotation()") == pytest.approx(45, abs=2)


def test_two_fingers_turn_the_slide_as_far_as_they_turn(viewer: Page):
    box = viewer.locator("#viewer").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = viewer.context.new_cdp_session(viewer)

    def touch(kind: str, degrees: float) -> None:
        dx, dy = 150 * np.cos(np.radians(degrees)), 150 * np.sin(np.radians(degrees))
        points = [{"x": x + dx, "y": y + dy, "id": 1}, {"x": x - dx, "y": y - dy, "id": 2}]
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [] if kind == "touchEnd" else points},
        )

    touch("touchStart", 0)
    for degrees in range(0, 41, 2):
        touch("touchMove", degrees)
    touch("touchEnd", 40)
    assert settled(viewer, "v.getRotation()") == pytest.approx(34, abs=8)


def test_the_navigator_can_be_hidden_and_stays_so(viewer: Page):
    navigator = viewer.locator("#viewer .navigator")
    expect(navigator).to_be_visible()
    viewer.keyboard.press("v")
    expect(navigator).to_be_hidden()
    viewer.reload()
    viewer.wait_for_selector('#viewer[data-viewer-ready="true"]')
    expect(navigator).to_be_hidden()


def test_a_copied_link_leads_to_the_same_view(viewer: Page, backend):
    viewer.context.grant_permissions(["clipboard-read", "clipboard-write"])
    viewer.keyboard.press("4")
    viewer.keyboard.press(".")
    centre = settled(viewer, "[v.getCenter().x, v.getZoom(), v.getRotation()]")
    viewer.keyboard.press("l")
    expect(viewer.locator("#viewer-notice")).to_contain_text("copied")
    link = viewer.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{backend.url}/#slide=1001&")
    viewer.goto(f"{backend.url}/#slide=1002")
    viewer.goto(link)
    viewer.wait_for_selector('#viewer[data-viewer-ready="true"]')
    assert settled(viewer, "[v.getCenter().x, v.getZoom(), v.getRotation()]") == pytest.approx(
        centre, rel=1e-3
    )


def test_a_saved_picture_is_what_is_shown_with_the_scale_bar(viewer: Page):
    viewer.keyboard.press("3")
    viewer.keyboard.press("c")
    set_slider(viewer, "brightness", 0.7)
    viewer.click('[data-action="adjust"]')
    settled(viewer, "0")
    with viewer.expect_download() as saving:
        viewer.keyboard.press("p")
    assert re.fullmatch(r"S24-1001-A1\.png", saving.value.suggested_filename)
    saved = np.asarray(Image.open(saving.value.path()).convert("RGB"), float)
    canvas = viewer.locator("#viewer canvas").first.bounding_box()
    # OpenSeadragon rounds up
    assert saved.shape[:2] == pytest.approx((canvas["height"], canvas["width"]), abs=1)
    x, y = saved.shape[1] // 2, 250 - int(canvas["y"])
    assert np.abs(saved[y : y + 150, x - 100 : x + 100] - middle(viewer)).mean() < 2
    # the bar is black, and as long as on the screen
    row = saved[-30:, 16:300].min(axis=2)
    longest = max((line < 10).sum() for line in row)
    shown = viewer.locator("#scale-bar-line").bounding_box()["width"]
    assert longest == pytest.approx(shown, abs=2)
