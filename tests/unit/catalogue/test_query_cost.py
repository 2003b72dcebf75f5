"""What a query costs: the slides that it finds are looked at, and no others."""

import pytest

from tests.unit.catalogue.helpers import Meter, fill, ids
from vsv import wiring

# Questions by index, each with what it may look at: the slides that it returns and no others.
QUESTIONS = [
    ("getSlide", {"ImageID": "i00005"}),
    ("getSlides", {"ImageIDs": ["i00001", "i00005", "nobody"]}),
    ("querySlidesByStatus", {"Status": "GOOD", "limit": 2}),
    ("querySlidesByCase", {"CaseID": "S-99999"}),
    ("searchSlides", {"SlideIDPrefix": "S-99995"}),
    ("searchSlides", {"CaseIDPrefix": "S-99995"}),
    ("searchSlides", {"Scanner": "SS1", "limit": 2}),
    ("searchSlides", {"Text": "99995"}),
    ("searchSlides", {"Text": "s-99995 00004"}),
    ("searchSlides", {"Text": "s", "limit": 3}),
    ("searchSlides", {"Status": "GOOD", "limit": 2}),
    ("searchSlides", {"Order": "NEWEST", "limit": 3}),
    ("searchSlides", {"Order": "SLIDE_ID", "limit": 3}),
    ("countSlides", {"Text": "99995"}),
    ("searchSlides", {"ScannedTo": "2025-12-31T23:00:03Z"}),
    ("listUnsentSlides", {"limit": 2}),
    ("listImportFailures", {"limit": 1}),
    ("listUnidentified", {"limit": 2}),
    ("listCaseIDs", {"limit": 2}),
    ("listSlides", {"limit": 3}),
    ("listSlides", {"filter": {"CaseID": {"eq": "S-99999"}}}),
    ("listSlides", {"filter": {"SlideID": {"beginsWith": "S-99995"}}}),
    ("listSlides", {"filter": {"Filename": {"contains": "5"}}, "limit": 3}),
    ("slideHistory", {"ImageID": "i00005"}),
]


# Of the questions, those that find a few slides.
FEW = [
    ("searchSlides", {"Scanner": "SS1", "ScannedFrom": "2025-12-31T23:00:35Z"}, {37}),
    ("searchSlides", {"Scanner": "SS1", "ScannedTo": "2025-12-31T23:00:05Z"}, {1, 4}),
    ("searchSlides", {"ScannedFrom": "2025-12-31T23:00:38Z"}, {38, 39}),
    ("searchSlides", {"SlideIDPrefix": "S-99995"}, {4}),
    ("searchSlides", {"CaseIDPrefix": "S-99995"}, {4, 5}),
    ("listSlides", {"filter": {"ScanDate": {"ge": "2025-12-31T23:00:38Z"}}}, {38, 39}),
    ("listSlides", {"filter": {"ScanDate": {"le": "2025-12-31T23:00:01Z"}}}, {0, 1}),
    ("listSlides", {"filter": {"SlideID": {"beginsWith": "S-99995"}}}, {4}),
    ("listSlides", {"filter": {"SlideID": {"eq": "S-99995-A"}}}, {4}),
    ("listSlides", {"filter": {"CaseID": {"eq": "S-99995"}}}, {4, 5}),
    ("listSlides", {"filter": {"CaseID": {"beginsWith": "S-99995"}}}, {4, 5}),
    ("listImportFailures", {}, {7, 17, 27, 37}),
]


@pytest.mark.usefixtures("slides")
def test_a_question_looks_at_no_other_slides_than_it_finds(ask):
    """Each slide is looked at twice: in the index, and as the table has it."""
    meter = Meter(wiring.catalogue().slides.meta.client)
    for field, arguments, found in FEW:
        meter.items = 0
        slides = ask(field, **arguments)["items"]
        assert sorted(ids(slides)) == [f"i{number:05}" for number in sorted(found)], arguments
        assert meter.items == 2 * len(found), arguments


@pytest.mark.slow
def test_what_a_question_costs_does_not_grow_with_the_catalogue(ask, catalogue):
    def costs():
        found = {}
        for field, arguments in QUESTIONS:
            meter = Meter(wiring.catalogue().slides.meta.client)
            ask(field, **arguments)
            found[f"{field} {arguments}"] = (dict(meter.calls), meter.items)
        return found

    fill(catalogue, 10)
    few = costs()
    fill(catalogue, 1500)  # more than the largest page
    for question, (calls, items) in costs().items():
        assert "Scan" not in calls, question
        assert items <= few[question][1], question
        assert sum(calls.values()) <= sum(few[question][0].values()), question
