"""Searches by the term table: what they find, in which order, at what cost, while people edit."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.catalogue.helpers import Meter, fill, ids, pages, put, slide
from vsv import wiring
from vsv.catalogue.search import Search, SlideOrder
from vsv.catalogue.slide_search import SlideSearch
from vsv.catalogue.terms import rows_of

PARTS = st.lists(
    st.sampled_from(["s24", "S2", "a", "A1", "1001", "ß", "ä"]), min_size=1, max_size=4
)
IDS = st.builds(str.join, st.sampled_from(["-", "_", " ", "."]), PARTS)


@given(
    st.lists(st.tuples(IDS, IDS, IDS), min_size=1, max_size=6),
    st.lists(
        st.sampled_from(["s", "s2", "S24", "s24-a", "a1", "1001", "SS", "-a", "Ä"]), max_size=3
    ),
    st.sampled_from(["", "NEW", "GOOD"]),
    st.sampled_from(SlideOrder),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_words_find_what_a_filter_of_all_records_finds(catalogue, slides, words, status, order):
    for table, key in ((catalogue.slides, ["ImageID"]), (catalogue.terms, ["Term", "Place"])):
        for item in table.scan()["Items"]:
            table.delete_item(Key={name: item[name] for name in key})
    records = [
        slide(number, SlideID=slide_id, CaseID=case_id, Filename=filename)
        for number, (slide_id, case_id, filename) in enumerate(slides)
    ]
    put(catalogue, records)
    search = Search.parse({"Text": " ".join(words), "Status": status})
    wanted = {record["ImageID"] for record in records if search.finds(record)}
    searches, found, token = SlideSearch(catalogue), [], None
    while True:
        page = searches.page(search, order, 2, token)
        found += ids(page.items)
        token = page.token
        if token is None:
            break
    assert sorted(found) == sorted(wanted)
    counted = searches.count(search)
    assert (counted.number, counted.exact) == (len(wanted), True)


def test_a_record_has_no_more_rows_than_a_transaction_can_replace():
    long = "-".join(f"{number:03}" for number in range(16))
    record = slide(1, SlideID=long, CaseID=f"x{long}", Filename="a.b " * 60, IdSource="NONE")
    assert len(rows_of(record)) <= 47


@pytest.mark.usefixtures("slides")
def test_an_edit_between_two_pages_shows_no_slide_twice_or_by_its_old_id(ask):
    first = ask("searchSlides", Text="s", limit=20)
    (seen, unseen) = ids(first["items"])[0], "i00001"
    ask("updateSlide", input={"ImageID": seen, "SlideID": "S-0"})
    ask("updateSlide", input={"ImageID": unseen, "SlideID": "T-1", "CaseID": "T"})
    rest = pages_after(ask, first["nextToken"], Text="s")
    assert seen not in rest
    assert unseen in rest  # its file's name ends in .svs
    assert unseen not in ids(pages(ask, "searchSlides", Text="s-"))
    assert ids(pages(ask, "searchSlides", Text="t-1")) == [unseen]


def pages_after(ask, token, **criteria):
    found = []
    while token:
        page = ask("searchSlides", limit=20, nextToken=token, **criteria)
        found += ids(page["items"])
        token = page["nextToken"]
    return found


@pytest.mark.usefixtures("slides")
def test_a_count_reads_no_records_where_rows_answer(ask):
    meter = Meter(wiring.catalogue().slides.meta.client)
    for criteria in ({}, {"Text": "9998"}, {"Status": "NEW", "Text": "s"}, {"Failed": True}):
        ask("countSlides", **criteria)
    assert {*meter.calls} == {"Query"}


@pytest.mark.slow
def test_more_than_1000_slides_are_counted_as_such(ask, catalogue):
    fill(catalogue, 1002)
    for criteria in ({}, {"Text": "s"}, {"Text": "s-"}):
        assert ask("countSlides", **criteria) == {"Count": 1000, "Exact": False}
