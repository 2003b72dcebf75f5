"""Labels and IDs name patients: whatever is done with a slide, none of it turns up in a log."""

import os
import time
import uuid

import pytest

from tests.conftest import ROOT
from tests.stack.conftest import GraphQLError, wait_for

pytestmark = pytest.mark.stack

LOGS = ROOT / ".local" / "log"


def logged_by_functions(stack, since_ms):
    """Every line that any function logged since then, by the function's log group."""
    logs = stack.client("logs")
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            for events in logs.get_paginator("filter_log_events").paginate(
                logGroupName=name, startTime=since_ms
            ):
                for event in events["events"]:
                    yield name, event["message"]


def test_canaries_are_nowhere_in_what_is_logged_counted_or_queued(
    stack, new_slide, bring_in, edit, look, remove, ask, history, cdr, viewer, scanner, technician
):
    mark = uuid.uuid4().hex[:10]
    label, slide_id, case_id = f"LABEL{mark}-A1", f"SLIDE{mark}-B1", f"CASE{mark}"
    file_name = f"FILE{mark}.svs"
    offsets = {path: path.stat().st_size for path in LOGS.glob("*.log")}
    begun_ms = int(time.time() * 1000)

    # A day with everything that can go right and wrong.
    image_id, path = new_slide(name=file_name, label_text=label)
    assert bring_in(path)["status"] == "IMPORTED"
    edit(image_id, SlideID=slide_id, CaseID=case_id, Status="GOOD")
    for wrong in ({"SlideID": f"{slide_id}\x07"}, {"Status": f"X{slide_id}"}, {"CaseID": "C" * 99}):
        with pytest.raises(GraphQLError):
            edit(image_id, **wrong)
    with pytest.raises(GraphQLError):
        edit(image_id, SlideID=slide_id, Version=0)
    ask(
        "query ($s: String, $c: String) { searchSlides(SlideIDPrefix: $s, CaseIDPrefix: $c) "
        "{ items { SlideID } } }",
        s=slide_id,
        c=case_id,
    )
    cdr.play("error", status=503, title=f"no room for {slide_id}", times=1)
    edit(image_id, Status="SEND")
    wait_for(lambda: look(image_id)["Status"] == "SENT")
    cdr.play("error", status=422, title=f"nothing known of {case_id}")
    edit(image_id, Status="SEND")
    wait_for(lambda: look(image_id)["Status"] == "SEND_FAILED")
    _, conflicting = new_slide(name=f"other-{file_name}", properties={"ImageID": image_id})
    assert bring_in(conflicting)["status"] == "IMPORTED"
    _, broken = new_slide(name=f"broken-{file_name}", label_text=label)
    os.truncate(broken, broken.stat().st_size // 2)
    assert bring_in(broken)["status"] == "FAILED"
    assert scanner.post("/ImportSlide", json={"filename": f"../{file_name}", "size": 1})
    assert viewer.get(f"/DeepZoom/{image_id}_files/8/0_0.jpeg").status_code == 200
    # A file that vanishes under its index is an error that nobody foresaw in TRANSFER.
    remove("TRANSFER", image_id)
    wait_for(lambda: look(image_id)["Status"] == "TRANSFERRED")
    remove("RESTORE", image_id)
    wait_for(lambda: look(image_id)["Removal"] is None)
    # Reading it is an input/output error.
    index = stack.efs / f"{image_id}.index"
    index.unlink()
    index.symlink_to("/proc/self/mem")
    assert viewer.get(f"/DeepZoom/{image_id}.dzi").status_code == 503
    index.unlink()
    remove("DELETE", image_id)
    wait_for(lambda: look(image_id)["Status"] == "DELETED")

    canaries = [label, slide_id, case_id, mark]
    assert any(slide_id in str(line) for line in history(image_id)), "the history does know"
    everything = list(logged_by_functions(stack, begun_ms))
    assert len(everything) > 20, "functions log, and the test reads it"
    assert any("unexpected" in message for _, message in everything)
    for name, message in everything:
        assert not any(canary in message for canary in canaries), (name, message)
    for file in LOGS.glob("*.log"):
        text = file.read_bytes()[offsets.get(file, 0) :].decode("utf-8", "replace")
        assert not any(canary in text for canary in canaries), file
    metrics = stack.client("cloudwatch").list_metrics()["Metrics"]
    assert not any(canary in str(metrics) for canary in canaries)
