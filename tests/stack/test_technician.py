"""A technician's whole day, and its parts, on the deployed stack."""

import contextlib
import itertools
import os
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.realtime_client import connect
from tests.stack.conftest import GraphQLError, run_stack, wait_for

pytestmark = pytest.mark.stack

SETTLED = {"SENT", "SEND_FAILED"}


def changed(line):
    return {change["Field"]: (change["From"], change["To"]) for change in line["Changes"]}


def test_a_whole_day(new_slide, bring_in, look, edit, remove, history, cdr, viewer, ask, stack):
    # A stack that has had such a day before has other slides with these IDs, and says so.
    one, other = (f"S26-{uuid.uuid4().int % 10**8}" for _ in range(2))
    # Two scans: one with a barcode, one whose label nobody can read.
    first, first_path = new_slide(label_text=f"{one}-A1")
    second, second_path = new_slide(label_text=None)
    for path in (first_path, second_path):
        assert bring_in(path)["status"] == "IMPORTED"
    assert (look(first)["SlideID"], look(first)["CaseID"]) == (f"{one}-A1", one)
    unread = look(second)
    assert (unread["SlideID"], unread["Barcode"]["text"]) == (second, None)
    assert unread["Barcode"]["reason"]
    assert (look(first)["IdSource"], unread["IdSource"]) == ("BARCODE", "NONE")
    unsent = ask("{ listUnsentSlides(limit: 1000) { items { ImageID } } }")["listUnsentSlides"]
    assert {first, second} <= {each["ImageID"] for each in unsent["items"]}

    # The unreadable one cannot be sent before it gets its IDs by hand.
    listed = ask("{ listUnidentified(limit: 1000) { items { ImageID IdSource } } }")
    assert {"ImageID": second, "IdSource": "NONE"} in listed["listUnidentified"]["items"]
    cases = ask("{ listCaseIDs(limit: 1000) { items { ImageID } } }")["listCaseIDs"]["items"]
    assert {"ImageID": second} not in cases
    edit(second, Status="GOOD", Version=unread["Version"])
    with pytest.raises(GraphQLError, match="Conflict: .*type or confirm the slide ID first"):
        edit(second, Status="SEND")
    edit(second, Status="BAD")
    unread = look(second)
    edit(second, SlideID=f" {other}-B1 ", CaseID=other, Version=unread["Version"])

    # The other scan is bad: it is deleted and scanned again under the same name.
    edit(first, Status="BAD")
    assert remove("DELETE", first, Filename=first_path.name)["status"] == 202
    wait_for(lambda: look(first)["Status"] == "DELETED")
    assert not list(stack.efs.glob(f"{first}*"))
    assert viewer.get(f"/DeepZoom/{first}.dzi").status_code == 404
    again, again_path = new_slide(name=first_path.name, label_text=f"{one}-A1", size=(900, 700))
    assert again_path == first_path
    answer = bring_in(again_path)
    assert (answer["status"], answer["ImageID"]) == ("IMPORTED", again)

    # Both are good, and are sent to a CDR that is down, and then up.
    cdr.play("down")
    for image_id in (again, second):
        edit(image_id, Status="GOOD")
        edit(image_id, Status="SEND")
    assert {look(again)["Status"], look(second)["Status"]} == {"SEND"}
    assert cdr.received(again) == []
    cdr.play("up")
    for image_id in (again, second):
        sent = wait_for(lambda id=image_id: look(id)["Status"] == "SENT" and look(id))
        (delivery,) = cdr.received(image_id)
        assert delivery["payload"]["SlideID"] == sent["SlideID"]
        assert sent["Sent"]["Receipt"].startswith("CDR-")
        assert sent["EditedAfterSending"] is False

    # One is archived; its label is there, its tiles are not. The other is looked at.
    assert remove("TRANSFER", again)["status"] == 202
    wait_for(lambda: look(again)["Status"] == "TRANSFERRED")
    assert not (stack.efs / again_path.name).exists()
    assert viewer.get(f"/DeepZoom/{again}_files/label.jpeg").status_code == 200
    refused = viewer.get(f"/DeepZoom/{again}_files/8/0_0.jpeg")
    assert (refused.status_code, "archived" in refused.json()["detail"]) == (409, True)
    assert viewer.get(f"/DeepZoom/{second}_files/8/0_0.jpeg").status_code == 200

    # The history tells it all.
    told = [(line["Action"], line["By"], line["Version"]) for line in history(first)]
    assert [version for *_, version in told] == list(range(1, len(told) + 1))
    # Two lines of the import, or more: a step that was tried again tells so.
    imports = [line for line in told if line[0] == "IMPORT"]
    assert len(imports) >= 2
    assert told[: len(imports)] == imports
    assert [(action, by) for action, by, _ in told[len(imports) :]] == [
        ("EDIT", "technician"),
        ("DELETE", "technician"),
        ("DELETE", "technician"),
    ]
    edits = [line for line in history(second) if line["Action"] == "EDIT"]
    assert changed(edits[2]) == {
        "SlideID": (second, f"{other}-B1"),
        "CaseID": (second, other),
        "IdSource": ("NONE", "TYPED"),
    }
    assert [changed(line).get("Status") for line in edits[3:]] == [
        ("BAD", "GOOD"),
        ("GOOD", "SEND"),
    ]
    statuses = [changed(line)["Status"] for line in history(again) if "Status" in changed(line)]
    assert statuses == [
        (None, "NEW"),
        ("NEW", "GOOD"),
        ("GOOD", "SEND"),
        ("SEND", "SENT"),
        ("SENT", "TRANSFERRED"),
    ]


@pytest.fixture
def slide(new_slide, bring_in):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    return image_id


def test_documents_of_existing_clients_work_unchanged(ask, slide):
    """Aliases, variables, __typename, nextToken: as Apollo sends them."""
    by_status = ask(
        """query SlidesByStatus($statusFilter: String!, $limit: Int, $nextToken: String) {
          Slides: querySlidesByStatus(Status: $statusFilter, limit: $limit, nextToken: $nextToken) {
            items { CaseID ImageID SlideID ScanDate AppMag MPP __typename }
            nextToken __typename } }""",
        statusFilter="NEW",
        limit=1000,
    )["Slides"]
    assert by_status["__typename"] == "SlideConnection"
    assert slide in {item["ImageID"] for item in by_status["items"]}
    many = ask(
        """query getSlides($ImageIDs: [String!]) { Slides: getSlides(ImageIDs: $ImageIDs) {
          CaseID SlideID ImageID ScanDate AppMag MPP Status __typename } }""",
        ImageIDs=["nobody", slide, slide],
    )["Slides"]
    assert [each and each["ImageID"] for each in many] == [None, slide, slide]
    cases = ask(
        """query ListCaseIDs($nextToken: String) { Slides: listCaseIDs(nextToken: $nextToken) {
          items { CaseID ImageID __typename } nextToken __typename } }"""
    )["Slides"]["items"]
    assert all(item["CaseID"] for item in cases)
    filtered = ask(
        """query ListSlides($filter: TableSlideFilterInput, $limit: Int, $nextToken: String) {
          listSlides(filter: $filter, limit: $limit, nextToken: $nextToken) {
            items { ImageID AppMag } nextToken } }""",
        filter={"SlideID": {"beginsWith": "S26"}, "ImageID": {"eq": slide}},
        limit=1000,
    )["listSlides"]["items"]
    assert [item["ImageID"] for item in filtered] == [slide]
    edited = ask(
        """mutation UpdateSlide($CaseID: String!, $ImageID: String!) {
          updateSlide(input: {CaseID: $CaseID, ImageID: $ImageID}) {
            ImageID CaseID __typename } }""",
        CaseID="S26-EDITED",
        ImageID=slide,
    )["updateSlide"]
    assert edited == {"ImageID": slide, "CaseID": "S26-EDITED", "__typename": "Slide"}


def test_a_stale_edit_gets_the_record_as_it_is(edit, look, slide):
    seen = look(slide)["Version"]
    edit(slide, SlideID="S26-FIRST", Version=seen)
    with pytest.raises(GraphQLError, match="Conflict: ") as refused:
        edit(slide, SlideID="S26-SECOND", Version=seen)
    (error,) = refused.value.errors
    assert error["data"]["SlideID"] == error["errorInfo"]["SlideID"] == "S26-FIRST"
    assert error["errorInfo"]["Version"] == seen + 1
    edit(slide, SlideID=None)
    assert look(slide)["SlideID"] is None


def test_illegal_steps_are_refused_with_the_legal_ones(edit, slide):
    for status, legal in (("SENT", "GOOD or BAD"), ("SEND", "GOOD or BAD"), ("DELETED", "GOOD")):
        with pytest.raises(GraphQLError, match=f"Conflict: .*{legal}"):
            edit(slide, Status=status)


def test_fifty_edits_at_once_and_every_accepted_one_is_in_the_history(
    new_slide, bring_in, edit, look, history
):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    before = look(image_id)["Version"]

    def once(number):
        """Half of them say which version they saw."""
        fields = {"CaseID": f"S26-{number}"} | ({"Version": before} if number % 2 else {})
        try:
            return edit(image_id, **fields)
        except GraphQLError as error:
            if error.errors[0]["errorType"] != "Conflict":
                raise
            return None

    with ThreadPoolExecutor(50) as pool:
        answers = [answer for answer in pool.map(once, range(50)) if answer]
    # Those that named no version are all taken; of the others, at most one.
    assert len(answers) in (25, 26)
    lines = history(image_id)[before:]
    assert [line["Version"] for line in lines] == list(range(before + 1, before + 1 + len(answers)))
    assert {answer["Version"]: answer["CaseID"] for answer in answers} == {
        line["Version"]: changed(line)["CaseID"][1] for line in lines
    }
    # Each begins where the one before it ended.
    for earlier, later in itertools.pairwise(lines):
        assert changed(earlier)["CaseID"][1] == changed(later)["CaseID"][0]
    assert look(image_id)["CaseID"] == changed(lines[-1])["CaseID"][1]


def test_subscribers_hear_of_edits(stack, edit, slide, look):
    everything = "subscription { onUpdateSlide { ImageID SlideID Status __typename } }"
    one = "subscription One($id: String) { onUpdateSlide(ImageID: $id) { ImageID CaseID } }"
    with connect(stack.graphql_url, stack.tokens("pathologist")["IdToken"]) as client:
        all_of_them = client.subscribe(everything)
        this_one = client.subscribe(one, {"id": slide})
        another = client.subscribe(one, {"id": "nobody"})
        edit(slide, SlideID="S26-HEARD", CaseID="S26-C")
        heard = client.next(name=all_of_them)["data"]["onUpdateSlide"]
        assert heard == {
            "ImageID": slide,
            "SlideID": "S26-HEARD",
            "Status": look(slide)["Status"],
            "__typename": "Slide",
        }
        heard = client.next(name=this_one)["data"]["onUpdateSlide"]
        assert heard == {"ImageID": slide, "CaseID": "S26-C"}
        client.stop(another)
        assert not client.waiting


def test_subscribers_hear_of_every_change_whatever_made_it(stack, new_slide, bring_in, edit):
    """An import, then a person: told by the table's stream."""
    everything = "subscription { onSlideChange { ImageID Version Status ImportStatus SlideID } }"
    with connect(stack.graphql_url, stack.tokens("pathologist")["IdToken"]) as client:
        client.subscribe(everything)
        image_id, path = new_slide()
        assert bring_in(path)["status"] == "IMPORTED"

        def told():
            while (change := client.next()["data"]["onSlideChange"])["ImageID"] != image_id:
                continue
            return change

        while (change := told())["ImportStatus"] != "IMPORTED":
            assert change["SlideID"] is None, "a message names no slide"
        edit(image_id, SlideID="S26-LIVE", CaseID="S26-C", Status="GOOD")
        while told()["Status"] != "GOOD":
            continue


# Removal


def test_an_archived_slide_comes_back_as_it_was(
    new_slide, bring_in, edit, look, remove, viewer, stack, scanner
):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    content = path.read_bytes()
    tile = f"/DeepZoom/{image_id}_files/10/0_0.jpeg"
    before = viewer.get(tile).content
    edit(image_id, Status="GOOD", SlideID="S26-KEPT")
    assert remove("TRANSFERRED", image_id, Filename=path.name)["status"] == 202
    wait_for(lambda: look(image_id)["Status"] == "TRANSFERRED")
    archived = look(image_id)["Archive"]
    assert archived["StorageClass"] == "STANDARD_IA"
    listed = stack.client("s3").list_objects_v2(Bucket=stack.archive_bucket)["Contents"]
    (key,) = [each["Key"] for each in listed if image_id in each["Key"]]
    stored = stack.client("s3").get_object(Bucket=stack.archive_bucket, Key=key)
    assert stored["Body"].read() == content
    # What the scanner still has of it may go.
    body = {"filename": path.name, "size": len(content)}
    assert scanner.post("/ImportSlide", json=body).json()["filename"] == path.name

    assert remove("RESTORE", image_id)["status"] == 202
    wait_for(lambda: look(image_id)["Removal"] is None)
    record = look(image_id)
    assert (record["Status"], record["SlideID"], record["ImportStatus"]) == (
        "GOOD",
        "S26-KEPT",
        "IMPORTED",
    )
    assert (stack.efs / path.name).read_bytes() == content
    assert viewer.get(tile).content == before


@pytest.mark.parametrize(
    ("operation", "function", "status"),
    [("TRANSFER", "-TransferImage", "TRANSFERRED"), ("DELETE", "-DeleteImage", "DELETED")],
)
def test_a_removal_that_is_killed_goes_on(
    new_slide, bring_in, look, remove, stack, operation, function, status
):
    image_id, path = new_slide(size=(8197, 6151))
    assert bring_in(path)["status"] == "IMPORTED"
    content = path.read_bytes()
    # A function that nobody has called lately starts a process of its own: that one.
    kill(function)
    assert remove(operation, image_id)["status"] == 202
    assert wait_for(lambda: kill(function))
    wait_for(lambda: look(image_id)["Status"] == status)
    assert look(image_id)["Removal"] is None
    assert not (stack.efs / path.name).exists()
    left = {each.name for each in (stack.efs / f"{image_id}_files").glob("*")}
    listed = stack.client("s3").list_objects_v2(Bucket=stack.archive_bucket).get("Contents", [])
    keys = [each["Key"] for each in listed if f"/{image_id}/" in each["Key"]]
    if operation == "DELETE":
        assert (left, keys) == (set(), [])
    else:
        assert left == {"label.jpeg", "thumbnail.jpeg", "macro.jpeg"}
        (key,) = keys
        stored = stack.client("s3").get_object(Bucket=stack.archive_bucket, Key=key)
        assert stored["Body"].read() == content


def kill(function):
    """Kill this clone's processes of a function; return how many there were."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_text()
            if str(ROOT / ".local") in command and function in command:
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed


def test_what_cannot_be_removed_is_said_slide_by_slide(remove, slide, technician):
    assert remove("DELETE", "nobody")["status"] == 404
    assert remove("RESTORE", slide)["status"] == 409
    wrong = remove("DELETE", slide, Filename="../../etc/passwd")
    assert (wrong["status"], wrong["detail"]) == (409, "the slide's file has another name")
    answer = technician.request("DELETE", "/RemoveImages", json={"Operation": "EAT", "Images": []})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


RETRY = "mutation ($id: String!) { retryImport(ImageID: $id) { ImportStatus } }"


def test_a_failed_import_is_found_tried_again_deleted_and_scanned_again(
    new_slide, bring_in, look, history, remove, ask, stack
):
    _, path = new_slide()
    path.write_text("no slide at all")
    failed = bring_in(path)
    assert failed["status"] == "FAILED"
    failures = ask("{ listImportFailures { items { ImageID ImportError } } }")
    assert failed["ImageID"] in {
        each["ImageID"] for each in failures["listImportFailures"]["items"]
    }
    # Nothing about the file has changed: it fails again.
    again = ask(RETRY, id=failed["ImageID"])["retryImport"]
    assert again["ImportStatus"] == "IMPORTING"
    wait_for(lambda: look(failed["ImageID"])["ImportStatus"] == "FAILED")
    assert "technician" in {line["By"] for line in history(failed["ImageID"])}
    assert remove("DELETE", failed["ImageID"])["status"] == 202
    wait_for(lambda: look(failed["ImageID"])["Status"] == "DELETED")
    assert not (stack.efs / path.name).exists()
    with pytest.raises(GraphQLError, match="Conflict: the slide is deleted"):
        ask(RETRY, id=failed["ImageID"])
    image_id, path = new_slide(name=path.name)
    assert bring_in(path)["ImageID"] == image_id


# CDR


def test_a_refused_slide_says_why_and_can_be_sent_again(new_slide, bring_in, edit, look, cdr):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    edit(image_id, Status="GOOD")
    cdr.play("error", status=422, title="No such case")
    edit(image_id, Status="SEND")
    failed = wait_for(lambda: look(image_id)["Status"] == "SEND_FAILED" and look(image_id))
    assert "422" in failed["SendError"]
    cdr.play("up")
    edit(image_id, CaseID="S26-RIGHT")
    edit(image_id, Status="SEND")
    wait_for(lambda: look(image_id)["Status"] == "SENT")
    (delivery,) = cdr.received(image_id)
    assert delivery["payload"]["CaseID"] == "S26-RIGHT"

    # An edit after sending is seen, and can be sent.
    edit(image_id, CaseID="S26-CORRECTED")
    assert look(image_id)["EditedAfterSending"] is True
    edit(image_id, Status="SEND")
    wait_for(lambda: look(image_id)["Status"] == "SENT")
    assert [each["payload"]["CaseID"] for each in cdr.received(image_id)] == [
        "S26-RIGHT",
        "S26-CORRECTED",
    ]
    assert look(image_id)["EditedAfterSending"] is False


def test_a_cdr_that_stays_away_is_given_up_with_an_alarm(
    new_slide, bring_in, edit, look, cdr, stack
):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    edit(image_id, Status="GOOD")
    cdr.play("down")
    edit(image_id, Status="SEND")
    failed = wait_for(lambda: look(image_id)["Status"] == "SEND_FAILED" and look(image_id))
    assert failed["SendError"]
    sqs = stack.client("sqs")

    def dead_letter():
        answer = sqs.receive_message(
            QueueUrl=stack.dead_letter_queue_url, MaxNumberOfMessages=10, VisibilityTimeout=5
        )
        return any(image_id in each["Body"] for each in answer.get("Messages", []))

    wait_for(dead_letter)


def test_what_is_to_be_sent_is_sent_after_a_restart(new_slide, bring_in, edit, look, cdr):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    edit(image_id, Status="GOOD")
    cdr.play("down")
    edit(image_id, Status="SEND")
    run_stack("down")
    run_stack("up")
    if wait_for(lambda: SETTLED & {look(image_id)["Status"]}) == {"SEND_FAILED"}:
        # The restart took longer than the time after which a slide is given up.
        edit(image_id, Status="SEND")
        wait_for(lambda: look(image_id)["Status"] == "SENT")
    assert len(cdr.received(image_id)) == 1
