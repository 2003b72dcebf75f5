"""The pages are alive: changes appear by themselves, in a real browser over a real WebSocket."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.backend import Backend, sign_in
from tests.web.review_page import card, loaded


@pytest.fixture
def live(page: Page, backend: Backend) -> Page:
    """Show the list to a pathologist, and wait for the connection."""
    backend.simulate("configure", liveUrl="/graphql/realtime")
    return open_list(page, backend)


def open_list(page: Page, backend: Backend) -> Page:
    page.goto(backend.url)
    sign_in(page)
    loaded(page)
    expect(card(page, "1001")).to_be_visible()
    backend.simulate("await-live", subscriptions=1)
    return page


def test_somebody_elses_edit_appears_where_the_slide_is(live, backend):
    before = card(live, "1001").bounding_box()
    asked = backend.counts()["graphql"]
    backend.simulate("edit", ImageID="1001", Status="BAD")
    expect(card(live, "1001")).to_contain_text("Bad", ignore_case=True)
    assert card(live, "1001").bounding_box() == before
    assert backend.counts()["graphql"] == asked + 1


def test_the_progress_of_an_import_appears_without_a_request(live, backend):
    asked = backend.counts()["graphql"]
    backend.simulate("render", ImageID="1003", TilesRendered=20_976)
    expect(card(live, "1003")).to_contain_text("75")
    assert backend.counts()["graphql"] == asked


def test_new_scans_are_announced_and_move_nothing(live, backend):
    before = card(live, "1001").bounding_box()
    for image_id in ("2001", "2002", "2003"):
        backend.simulate("arrive", ImageID=image_id)
    announcement = live.locator(".arrivals")
    expect(announcement).to_contain_text("3 new scans")
    assert card(live, "1001").bounding_box() == before
    announcement.get_by_role("button", name="Show").click()
    expect(announcement).to_be_hidden()
    expect(card(live, "2003")).to_be_visible()
    # What was announced once is not announced again, though it may be on a later page.
    backend.simulate("touch", ImageID="2001")
    backend.simulate("arrive", ImageID="2004")
    expect(announcement).to_contain_text("1 new scan")


def test_the_open_slide_follows(live, backend):
    card(live, "1001").locator("a").first.click()
    facts = live.locator("#slide-facts")
    expect(facts).to_contain_text("S24-1001-A1")
    backend.simulate("edit", ImageID="1001", SlideID="S24-4711-B2")
    expect(facts).to_contain_text("S24-4711-B2")


def test_after_an_interruption_the_page_reads_what_it_missed(live, backend):
    backend.simulate("forbid-live")
    backend.simulate("edit", ImageID="1001", Status="BAD")
    backend.simulate("allow-live")
    expect(card(live, "1001")).to_contain_text("Bad", ignore_case=True)
    expect(live.locator(".arrivals")).to_contain_text("There may be new scans")
    assert backend.counts()["live"] == 2


def test_a_network_without_websockets_takes_nothing_away(page, backend):
    backend.simulate("configure", liveUrl="/graphql/realtime")
    backend.simulate("forbid-live")
    page.clock.install()
    page.goto(backend.url)
    sign_in(page)
    loaded(page)
    expect(card(page, "1003")).to_be_visible()
    backend.simulate("finish-imports")
    page.clock.run_for(6_000)
    expect(card(page, "1003")).not_to_contain_text("Importing", ignore_case=True)


def test_signing_out_ends_the_connection(live, backend):
    live.click("#sign-out")
    expect(live.locator("#sign-in")).to_be_visible()
    backend.simulate("arrive", ImageID="2001")
    expect(live.locator(".arrivals")).to_be_hidden()
