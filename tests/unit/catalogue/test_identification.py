"""Where a slide's IDs come from, and who is told if two slides have the same one."""

import pytest

from tests.unit.catalogue.helpers import Refused, ids, pages
from vsv.catalogue.identity import id_source


@pytest.mark.usefixtures("slides")
@pytest.mark.parametrize("limit", [1, 3, None])
def test_slides_that_nobody_has_identified_are_listed_until_somebody_does(ask, catalogue, limit):
    def unidentified():
        return sorted(ids(pages(ask, "listUnidentified", limit)))

    def cases():
        return ids(pages(ask, "listCaseIDs"))

    assert unidentified() == []
    for number in (1, 2, 7):  # of number 7 the import failed
        own = f"i{number:05}"
        nobodys = {"SlideID": own, "CaseID": own, "IdSource": "NONE"}
        catalogue.change(own, "import", "IMPORT", lambda old, new=nobodys: {**old, **new})
    ask("updateSlide", input={"ImageID": "i00003", "SlideID": None})
    ask("updateSlide", input={"ImageID": "i00004", "CaseID": None})
    assert unidentified() == ["i00001", "i00002", "i00003", "i00004"]
    assert not {"i00001", "i00002", "i00003", "i00004", "i00007"} & set(cases())
    assert ask("getSlide", ImageID="i00001")["IdSource"] == "NONE"
    # Each is seen once by its status.
    assert ids(pages(ask, "querySlidesByStatus", limit, Status="GOOD")).count("i00001") == 1

    confirmed = ask("updateSlide", input={"ImageID": "i00001", "SlideID": "i00001"})
    assert confirmed["IdSource"] == "TYPED"
    (line,) = ask("slideHistory", ImageID="i00001", limit=1)["items"]
    assert line["Changes"] == [{"Field": "IdSource", "From": "NONE", "To": "TYPED"}]
    ask("updateSlide", input={"ImageID": "i00003", "SlideID": "S-7"})
    catalogue.change("i00002", "ann", "DELETE", lambda old: {**old, "Status": "DELETED"})
    assert unidentified() == ["i00004"]
    assert {"i00001", "i00003"} <= set(cases())


@pytest.mark.usefixtures("slides")
def test_a_slide_is_sent_once_it_is_identified(ask, catalogue):
    nobodys = {"SlideID": "i00001", "CaseID": "i00001", "Barcode": {"reason": "no label"}}
    catalogue.change("i00001", "import", "IMPORT", lambda old: {**old, **nobodys})
    with pytest.raises(Refused, match="Conflict: .*type or confirm the slide ID first"):
        ask("updateSlide", input={"ImageID": "i00001", "Status": "SEND"})
    sent = ask("updateSlide", input={"ImageID": "i00001", "Status": "SEND", "SlideID": "S-7-A"})
    assert (sent["Status"], sent["CaseID"], sent["IdSource"]) == ("SEND", "S-7", "TYPED")


@pytest.mark.usefixtures("slides")
def test_a_slide_id_that_another_slide_has_is_told_by_both(ask, catalogue):
    taken = "S-99998-A"  # i00001's
    for image_id in ("i00002", "i00003"):
        edited = ask("updateSlide", input={"ImageID": image_id, "SlideID": taken})
    at_edit = "slide {} had the same slide ID at an edit".format
    assert edited["ImportWarnings"] == [at_edit("i00001"), at_edit("i00002")]
    assert edited["Version"] == 2
    first = ask("getSlide", ImageID="i00001")
    assert first["ImportWarnings"] == [at_edit("i00002"), at_edit("i00003")]
    (line,) = ask("slideHistory", ImageID="i00001", limit=1)["items"]
    assert (line["By"], line["Action"]) == ("ann", "EDIT")

    # The same again says nothing twice, and another ID nothing more.
    ask("updateSlide", input={"ImageID": "i00003", "SlideID": taken})
    assert ask("getSlide", ImageID="i00001") == first
    ask("updateSlide", input={"ImageID": "i00003", "SlideID": "S-1"})
    assert ask("getSlide", ImageID="i00003")["ImportWarnings"] == edited["ImportWarnings"]


@pytest.mark.usefixtures("slides")
def test_an_edit_that_is_refused_warns_nobody(ask, catalogue):
    with pytest.raises(Refused, match="Conflict"):
        ask("updateSlide", input={"ImageID": "i00002", "SlideID": "S-99998-A", "Version": 9})
    with pytest.raises(Refused, match="NotFound"):
        ask("updateSlide", input={"ImageID": "nobody", "SlideID": "S-99998-A"})
    for image_id in ("i00001", "i00002"):
        assert "ImportWarnings" not in ask("getSlide", ImageID=image_id)
    catalogue.change("i00001", "ann", "DELETE", lambda old: {**old, "Status": "DELETED"})
    edited = ask("updateSlide", input={"ImageID": "i00002", "SlideID": "S-99998-A"})
    deleted = ask("updateSlide", input={"ImageID": "i00001", "SlideID": "S-99998-A"})
    assert "ImportWarnings" not in edited
    assert "ImportWarnings" not in deleted


# Edits


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"SlideID": "S-1", "IdSource": "SCANNER"}, "SCANNER"),
        ({"SlideID": "77", "IdSource": "TYPED"}, "TYPED"),
        # Records of version 0.1.
        ({"SlideID": "S-1", "Barcode": {"text": "S-1"}}, "BARCODE"),
        ({"SlideID": "77", "Barcode": {"text": "77"}}, "BARCODE"),
        ({"SlideID": "S-2", "Barcode": {"text": "S-1"}}, "TYPED"),
        ({"SlideID": "S-2", "Barcode": {"reason": "blank"}}, "TYPED"),
        ({"SlideID": "77", "Barcode": {"reason": "blank"}}, "NONE"),
        ({"SlideID": "77"}, "NONE"),
        # What nobody has typed is nobody's, wherever the ID came from that was taken away.
        ({"Barcode": {"text": "S-1"}}, "NONE"),
        ({"IdSource": "BARCODE"}, "NONE"),
    ],
)
def test_where_a_slide_id_comes_from_is_known_of_old_records_too(fields, source):
    assert id_source({"ImageID": "77", **fields}) == source
