"""The slide table under load: changes at once, retries, batches, and older backups."""

import random
from threading import Thread
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.unit.catalogue.helpers import pages
from vsv import wiring
from vsv.catalogue import table
from vsv.errors import Unavailable
from vsv.settings import CatalogueSettings


@pytest.mark.usefixtures("slides")
def test_what_was_written_a_moment_ago_is_read(ask):
    reads = []
    events = wiring.catalogue().slides.meta.client.meta.events
    events.register("provide-client-params.dynamodb", lambda params, **_: reads.append(params))
    ask("getSlide", ImageID="i00001")
    ask("getSlides", ImageIDs=["i00001"])
    ask("slideHistory", ImageID="i00001")
    one, (many,), history = reads[0], reads[1]["RequestItems"].values(), reads[2]
    assert all(read["ConsistentRead"] for read in (one, many, history))


@pytest.mark.usefixtures("slides")
@pytest.mark.slow
def test_of_many_edits_at_once_none_is_lost(ask, catalogue, tables, monkeypatch):
    """Each appends a letter to what it finds, so that a lost one would be missing."""
    monkeypatch.setattr(table, "_DEADLINE_S", 3600)  # a busy machine takes its time

    def append(letter):
        own = type(catalogue)(boto3.resource("dynamodb"), *tables_of(tables))
        own.change(
            "i00000", letter, "EDIT", lambda old: {**old, "Note": old.get("Note", "") + letter}
        )

    letters = [chr(ord("A") + n) for n in range(20)]
    random.shuffle(letters)
    threads = [Thread(target=append, args=(letter,)) for letter in letters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    note = catalogue.get("i00000")["Note"]
    assert sorted(note) == sorted(letters)
    lines = pages(ask, "slideHistory", ImageID="i00000")
    assert [line["By"] for line in reversed(lines)] == list(note)
    assert [line["Version"] for line in lines] == list(range(21, 1, -1))


def contested(catalogue, times):
    """Change a record while others are faster ``times`` times; return how often it was decided."""
    decided = []

    def decide(old):
        decided.append(old)
        if len(decided) <= times:
            catalogue.slides.update_item(
                Key={"ImageID": "i00000"},
                UpdateExpression="SET Version = :version, Note = :note",
                ExpressionAttributeValues={
                    ":version": old["Version"] + 1,
                    ":note": f"somebody {len(decided)}",
                },
            )
        return {**old, "SlideID": "S-1"}

    catalogue.change("i00000", "ann", "EDIT", decide)
    return len(decided)


@pytest.mark.usefixtures("slides")
def test_a_change_that_comes_second_waits_longer_each_time_and_loses_nothing(catalogue, pauses):
    catalogue.change("i00000", "ann", "EDIT", lambda old: {**old, "Note": "first"})
    assert contested(catalogue, 7) == 8
    assert pauses == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5])
    record = catalogue.get("i00000")
    assert (record["SlideID"], record["Note"]) == ("S-1", "somebody 7")


def test_a_slides_first_version_is_1_whatever_attempt_makes_it(catalogue, pauses, monkeypatch):
    client, busy = catalogue._dynamodb.meta.client, [True]
    write = client.transact_write_items

    def busy_at_first(**call):
        if busy:
            busy.clear()
            reasons = [{"Code": "None"}, {"Code": "ThrottlingError"}]
            error = {"Error": {"Code": "TransactionCanceledException"}}
            raise ClientError({**error, "CancellationReasons": reasons}, "TransactWriteItems")
        return write(**call)

    monkeypatch.setattr(client, "transact_write_items", busy_at_first)
    for image_id in ("a", "b"):
        made = catalogue.change(image_id, "import", "IMPORT", lambda _: {"Filename": "x.svs"})
        assert made["Version"] == 1
        assert catalogue.get(image_id) == made
    assert len(pauses) == 1


@pytest.mark.usefixtures("slides")
@pytest.mark.slow
def test_a_change_gives_up_after_twenty_seconds(catalogue, pauses):
    catalogue.change("i00000", "ann", "EDIT", lambda old: {**old, "Note": "first"})
    with pytest.raises(Unavailable, match="too many at once"):
        contested(catalogue, 1000)
    assert 20 < sum(pauses) <= 20.5


@pytest.mark.usefixtures("slides")
def test_what_dynamodb_leaves_out_of_a_batch_is_asked_for_again(catalogue, pauses, monkeypatch):
    batch_get_item, asked = catalogue._dynamodb.batch_get_item, []

    def ten_at_most(RequestItems):
        ((name, request),) = RequestItems.items()
        asked.append(len(request["Keys"]))
        first = {**request, "Keys": request["Keys"][:10]}
        answer = batch_get_item(RequestItems={name: first})
        rest = request["Keys"][10:]
        return {**answer, "UnprocessedKeys": {name: {"Keys": rest}} if rest else {}}

    dynamodb = SimpleNamespace(batch_get_item=ten_at_most)
    monkeypatch.setattr(catalogue, "_dynamodb", dynamodb)
    wanted = [f"i{number:05}" for number in range(35)] + ["nobody", "i00000"]
    found = catalogue.get_many(wanted)
    assert [record and record["ImageID"] for record in found] == [*wanted[:35], None, "i00000"]
    assert asked == [36, 26, 16, 6]
    assert pauses == pytest.approx([0.02, 0.04, 0.08])


def tables_of(tables):
    names = (tables[f"{name}Table"] for name in ("Slide", "History", "Term"))
    return CatalogueSettings(*names).__dict__.values()


@pytest.mark.usefixtures("slides")
def test_a_record_from_an_older_backup_goes_on_where_the_history_ended(ask, catalogue):
    before = catalogue.get("i00000")
    for text in ("S-1", "S-2", "S-3"):
        ask("updateSlide", input={"ImageID": "i00000", "SlideID": text})
    catalogue.slides.put_item(Item=before)
    assert ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-4"})["Version"] == 5
    assert len(pages(ask, "slideHistory", ImageID="i00000")) == 4
