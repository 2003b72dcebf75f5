"""The catalogue's reads, through the function that AppSync calls."""

import json

import pytest

from tests.conftest import load_handler


@pytest.fixture
def ask(tables, monkeypatch):
    """Resolve one GraphQL field as AppSync's direct Lambda resolver does."""
    monkeypatch.setenv("SLIDE_TABLE", tables["SlideTable"])
    from vsv import aws
    from vsv.imports import wiring

    for cached in (aws.dynamodb, aws.client, wiring.catalogue):
        cached.cache_clear()
    handler = load_handler("SlideCatalogue")

    def ask(field, **arguments):
        event = {
            "arguments": arguments,
            "identity": None,
            "source": None,
            "request": {"headers": {}},
            "info": {
                "fieldName": field,
                "parentTypeName": "Query",
                "variables": {},
                "selectionSetList": ["items"],
            },
        }
        return json.loads(json.dumps(handler(event, None)))

    yield ask
    for cached in (aws.dynamodb, aws.client, wiring.catalogue):
        cached.cache_clear()


@pytest.fixture
def slides(catalogue):
    """25 slides, the odd ones GOOD and the even ones NEW, and a deleted one."""
    with catalogue._table.batch_writer() as batch:
        for number in range(25):
            batch.put_item(
                Item={
                    "ImageID": f"i{number:02}",
                    "Filename": f"{number:02}.svs",
                    "SlideID": f"S-{99 - number:02}",
                    "Status": "GOOD" if number % 2 else "NEW",
                    "ImportStatus": "IMPORTED",
                }
            )
        batch.put_item(Item={"ImageID": "gone", "SlideID": "S-00", "Status": "DELETED"})


@pytest.mark.usefixtures("slides")
def test_one_slide_many_slides_and_unknown_ones(ask):
    assert ask("getSlide", ImageID="i07")["SlideID"] == "S-92"
    assert ask("getSlide", ImageID="nobody") is None
    many = ask("getSlides", ImageIDs=["i03", "nobody", "i01", "i03"])
    assert [slide and slide["ImageID"] for slide in many] == ["i03", None, "i01", "i03"]
    assert len(ask("getSlides", ImageIDs=[f"x{n}" for n in range(250)] + ["i01"])) == 251


@pytest.mark.usefixtures("slides")
@pytest.mark.parametrize("limit", [1, 4, 13, 100])
def test_pages_hold_every_slide_once(ask, limit):
    for field, arguments, expected in (
        ("listSlides", {}, {f"i{n:02}" for n in range(25)}),
        ("querySlidesByStatus", {"Status": "GOOD"}, {f"i{n:02}" for n in range(1, 25, 2)}),
    ):
        found, token = [], None
        while True:
            page = ask(field, **arguments, limit=limit, nextToken=token)
            assert len(page["items"]) <= limit
            found += page["items"]
            token = page["nextToken"]
            if token is None:
                break
        assert len(found) == len(expected)
        assert {slide["ImageID"] for slide in found} == expected


@pytest.mark.usefixtures("slides")
def test_slides_of_a_status_come_by_slide_id(ask):
    ids = [slide["SlideID"] for slide in ask("querySlidesByStatus", Status="NEW")["items"]]
    assert ids == sorted(ids)
    assert len(ids) == 13


@pytest.mark.parametrize(
    "arguments", [{"limit": 0}, {"limit": 10_000}, {"nextToken": "x"}, {"nextToken": "W10="}]
)
def test_nonsense_is_refused(ask, arguments):
    with pytest.raises(Exception, match="limit|nextToken"):
        ask("listSlides", **arguments)
