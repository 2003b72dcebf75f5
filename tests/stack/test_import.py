"""Slides through the deployed import: the scanner's script, races, kills and bad files."""

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from local import services
from local.demo import is_imported, write_scanner_config
from tests.conftest import ROOT
from tests.stack.conftest import run_stack, wait_for
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom
from vsv.slides.slide import Slide

pytestmark = pytest.mark.stack


def assert_every_tile_is_there_with_exact_size(stack, record, tile_size):
    pyramid = DeepZoom(
        Size(int(record["width"]), int(record["height"])), Size(tile_size, tile_size)
    )
    folder = stack.efs / f"{record['ImageID']}_files"
    for address in pyramid.tiles():
        with Image.open(folder / f"{address.level}/{address.col}_{address.row}.jpeg") as tile:
            tile.load()
            assert tile.size == pyramid.tile_at(address).box.size, address
    assert len(list(folder.glob("*/*"))) == pyramid.tile_count == record["TilesTotal"]


def test_the_scanners_script_deletes_its_copies_once_they_are_imported(stack, new_slide, tmp_path):
    """Watched from outside: at the moment a copy is gone, its record says IMPORTED."""
    slides = [new_slide(size=(2309, 1543)), new_slide(label_text=None)]
    config = tmp_path / "scanscope.ini"
    vanished = {}
    done = threading.Event()

    def watch():
        while not done.is_set():
            for image_id, path in slides:
                if image_id not in vanished and not path.exists():
                    vanished[image_id] = (stack.record(image_id) or {}).get("ImportStatus")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        finished = run_scanner(stack, config)
    finally:
        done.set()
        watcher.join()
    assert finished.returncode == 0, finished.stderr
    assert not any(path.exists() for _, path in slides)
    # The file is renamed a moment before it is deleted; the answer came before that.
    assert vanished == {image_id: "IMPORTED" for image_id, _ in slides}
    for image_id, path in slides:
        assert is_imported(stack.config, path.name), "the demonstration would go on"
        assert_every_tile_is_there_with_exact_size(stack, stack.record(image_id), 256)


def run_scanner(stack, config: Path) -> subprocess.CompletedProcess:
    write_scanner_config(stack.config, config)
    command = [sys.executable, ROOT / "scanscope" / "import_slides.py", "--config", config]
    return subprocess.run(
        [*command, "--until-done", "--timeout", "300"], capture_output=True, text=True
    )


def executions(stack, filename: str) -> list[dict]:
    client = stack.client("stepfunctions")
    (machine,) = [
        machine["stateMachineArn"]
        for machine in client.list_state_machines()["stateMachines"]
        if "ImportSlide" in machine["name"]
    ]
    found = []
    for page in client.get_paginator("list_executions").paginate(stateMachineArn=machine):
        for execution in page["executions"]:
            described = client.describe_execution(executionArn=execution["executionArn"])
            if json.loads(described["input"])["filename"] == filename:
                found.append(described)
    return found


def transfers(stack, filename: str) -> list[str]:
    """Return the states of all DataSync executions that were started for the file."""
    client = services.session().client("datasync", endpoint_url=f"{stack.viewer_url}datasync")
    found = []
    for page in client.get_paginator("list_task_executions").paginate():
        for listed in page["TaskExecutions"]:
            execution = client.describe_task_execution(TaskExecutionArn=listed["TaskExecutionArn"])
            if execution["Includes"][0]["Value"] == f"/{filename}":
                found.append(execution["Status"])
    return found


def test_fifty_calls_at_once_and_again_make_one_row_and_one_execution(
    stack, call_import, new_slide, bring_in
):
    image_id, path = new_slide()
    body = {"filename": path.name, "size": path.stat().st_size}

    def call(_):
        return call_import(body).json()["status"]

    with ThreadPoolExecutor(50) as pool:
        for _ in range(3):
            statuses = set(pool.map(call, range(50)))
            assert statuses <= {"TRANSFERRING", "ARRIVING", "IMPORTING", "IMPORTED"}
    assert bring_in(path)["filename"] == path.name
    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(call, range(50))) == {"IMPORTED"}

    assert [run["status"] for run in executions(stack, path.name)] == ["SUCCEEDED"]
    assert transfers(stack, path.name) == ["SUCCESS"]
    assert stack.record(image_id)["Filename"] == path.name
    copies = stack.client("dynamodb").query(
        TableName=stack.table_name,
        IndexName="Filename-index",
        KeyConditionExpression="Filename = :f",
        ExpressionAttributeValues={":f": {"S": path.name}},
    )
    assert copies["Count"] == 1


def renderers() -> list[int]:
    """Yield processes of RenderTiles in this clone's stack."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_text()
            if str(ROOT / ".local") in command and "-RenderTiles" in command:
                found.append(int(process.name))
    return found


def test_a_renderer_killed_in_the_middle_shows_no_half_tile_and_the_import_resumes(
    stack, scanner, viewer, new_slide, bring_in
):
    image_id, path = new_slide(size=(8197, 6151))
    with Slide(path) as slide:
        size = Size(slide.width, slide.height)
    pyramid = DeepZoom(size, Size(256, 256))
    tiles = [address for address in pyramid.tiles() if address.level < pyramid.level_count - 1]
    done, looked, wrong = threading.Event(), [0], []

    def look():
        while not done.is_set():
            for level, col, row in tiles[:: len(tiles) // 20]:
                answer = viewer.get(f"/DeepZoom/{image_id}_files/{level}/{col}_{row}.jpeg")
                if answer.status_code == 200:
                    try:
                        Image.open(io.BytesIO(answer.content)).load()
                        looked[0] += 1
                    except OSError as error:
                        wrong.append(error)
                elif answer.status_code != 404:
                    wrong.append(answer.text)

    def rendered():
        return len(list((stack.efs / f"{image_id}_files").glob("[0-9]*/*.jpeg")))

    def call_until(reached):
        end = time.monotonic() + 300
        while not reached():
            assert time.monotonic() < end
            scanner.post("/ImportSlide", json=body)

    body = {"filename": path.name, "size": path.stat().st_size}
    call_until(lambda: (stack.efs / f"{image_id}.index").exists())
    reader = threading.Thread(target=look)
    reader.start()
    try:
        call_until(lambda: rendered() >= 100)
        victims = renderers()
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        at_kill = rendered()
        answer = bring_in(path)
    finally:
        done.set()
        reader.join()

    assert victims
    assert at_kill < pyramid.tile_count
    assert answer["status"] == "IMPORTED", answer
    assert looked[0] > 0
    assert not wrong
    assert_every_tile_is_there_with_exact_size(stack, stack.record(image_id), 256)


def damaged_tile(path: Path) -> None:
    with Slide(path) as slide:
        offset, length, _ = slide.locate(0, 0, 1)
    with path.open("r+b") as file:
        file.seek(offset + 2)
        file.write(bytes(length - 2))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("a text called .svs"), "not a TIFF file"),
        (lambda path: os.truncate(path, path.stat().st_size - 9000), "truncated"),
        (damaged_tile, "tile 0_1 of level 0 is damaged"),
    ],
    ids=["zero bytes", "text", "truncated", "damaged tile"],
)
def test_bad_files_fail_with_a_reason_in_answer_and_record_and_are_kept(
    stack, new_slide, bring_in, viewer, spoil, reason
):
    image_id, path = new_slide()
    spoil(path)
    content = path.read_bytes()
    answer = bring_in(path)

    assert answer["status"] == "FAILED"
    assert reason in answer["detail"]
    assert "filename" not in answer
    record = stack.record(answer["ImageID"])
    assert (record["ImportStatus"], record["Filename"]) == ("FAILED", path.name)
    assert reason in record["ImportError"]
    assert path.read_bytes() == content
    assert (stack.efs / path.name).read_bytes() == content
    assert not (stack.efs / f"{image_id}.dzi").exists()
    for text in (answer["detail"], record["ImportError"]):
        assert "Traceback" not in text
        assert str(stack.efs) not in text


def test_two_files_with_one_image_id_are_two_slides(stack, new_slide, bring_in, viewer):
    image_id, first = new_slide()
    assert bring_in(first)["status"] == "IMPORTED"
    _, second = new_slide(properties={"ImageID": image_id}, size=(600, 600))
    answer = bring_in(second)
    assert (answer["status"], answer["filename"]) == ("IMPORTED", second.name)
    assert answer["ImageID"].startswith(f"{image_id}-")
    assert stack.record(image_id)["Filename"] == first.name
    for each in (image_id, answer["ImageID"]):
        assert viewer.get(f"/DeepZoom/{each}_files/9/0_0.jpeg").status_code == 200


def test_a_rescan_without_image_ids_is_a_slide_of_its_own(stack, new_slide, bring_in, viewer):
    """As the GT 450 writes them."""
    properties = {"ImageID": None}
    _, path = new_slide(properties=properties)
    first = bring_in(path)
    new_slide(name=path.name, size=(900, 1000), properties=properties)
    second = bring_in(path)
    assert first["status"] == second["status"] == "IMPORTED"
    assert first["ImageID"] == path.stem
    assert second["ImageID"].startswith(f"{path.stem}-")
    for answer, height in ((first, 769), (second, 1000)):
        descriptor = viewer.get(f"/DeepZoom/{answer['ImageID']}.dzi").text
        assert f'Height="{height}"' in descriptor
        wait_for(partial(warned_of_a_scan, stack, answer["ImageID"]))


def warned_of_a_scan(stack, image_id: str) -> bool:
    """Whether the record says so. What a slide says of others comes after it is imported."""
    return any("scan" in text for text in stack.record(image_id).get("ImportWarnings", ()))


def test_the_same_bytes_under_another_name_are_told(stack, scanner, new_slide, bring_in):
    image_id, path = new_slide()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert bring_in(path)["sha256"] == sha256
    body = {"filename": f"copy of {path.name}", "size": path.stat().st_size, "sha256": sha256}
    answer = scanner.post("/ImportSlide", json=body).json()
    assert (answer["status"], answer["ImageID"]) == ("IMPORTED", image_id)
    assert (answer["filename"], answer["sha256"]) == (body["filename"], sha256)
    assert f"the same bytes as '{path.name}'" in answer["detail"]
    assert not transfers(stack, body["filename"])


def test_a_part_that_was_imported_leaves_no_failure(stack, new_slide, bring_in):
    image_id, path = new_slide(name=f"part {uuid.uuid4()}.svs")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    part = bring_in(path)
    assert part["status"] == "FAILED"
    path.write_bytes(whole)
    assert bring_in(path)["ImageID"] == image_id
    # That the slide is there is told first, what else there is of the file is settled then.
    wait_for(lambda: stack.record(part["ImageID"])["Status"] == "DELETED")
    assert [each.name for each in stack.efs.glob(f"{path.stem}*.svs")] == [path.name]


def test_a_rescan_under_the_old_name_is_a_new_slide_and_both_can_be_seen(
    stack, scanner, new_slide, bring_in, viewer
):
    old, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    new, _ = new_slide(name=path.name, size=(900, 1000))
    body = {"filename": path.name, "size": path.stat().st_size}
    assert "filename" not in scanner.post("/ImportSlide", json=body).json()
    answer = bring_in(path)
    assert (answer["status"], answer["ImageID"]) == ("IMPORTED", new)
    for image_id, size in ((old, (1025, 769)), (new, (900, 1000))):
        descriptor = viewer.get(f"/DeepZoom/{image_id}.dzi").text
        assert f'Width="{size[0]}" Height="{size[1]}"' in descriptor
        # PNG is made from the slide file itself, not from the pyramid.
        assert viewer.get(f"/DeepZoom/{image_id}_files/9/0_0.png").status_code == 200


def test_names_of_other_alphabets_and_folders(stack, new_slide, bring_in, viewer):
    image_id, path = new_slide(name=f"Größe µ/切片 {uuid.uuid4()}.svs")
    assert bring_in(path)["status"] == "IMPORTED"
    assert viewer.get(f"/DeepZoom/{image_id}.dzi").status_code == 200
    stem = f"ohne Größe {uuid.uuid4()}"
    # Its title makes its bytes its own: another slide without ImageID may have been imported.
    _, path = new_slide(name=f"{stem}.svs", properties={"ImageID": None, "Title": stem})
    answer = bring_in(path)
    assert answer["status"] == "IMPORTED", answer
    assert answer["ImageID"].startswith("ohne-Gro")
    assert viewer.get(f"/DeepZoom/{answer['ImageID']}_files/10/0_0.jpeg").status_code == 200


def test_slides_survive_a_restart_of_the_stack(stack, new_slide, bring_in, api, scanner):
    image_id, path = new_slide()
    bring_in(path)
    run_stack("down")
    run_stack("up")
    assert stack.record(image_id)["ImportStatus"] == "IMPORTED"
    with api(stack.tokens("pathologist")["IdToken"]) as client:
        assert client.get(f"/DeepZoom/{image_id}_files/9/0_0.jpeg").status_code == 200
    assert bring_in(path)["filename"] == path.name
