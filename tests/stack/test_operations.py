"""What ops do with the deployed stack: ``vsv-admin``, as they run it."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.stack


def admin(*arguments):
    """Run ``vsv-admin`` in a process of its own, with nothing but the stack's file."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("vsv-admin"),
            "--stack-file",
            ROOT / ".local" / "stack.json",
            *arguments,
        ],
        capture_output=True,
        text=True,
    )


def test_a_slide_is_verified_damaged_and_rendered_again(stack, new_slide, bring_in, history):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    sound = admin("verify", image_id)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    lost = stack.efs / f"{image_id}_files" / "9" / "0_0.jpeg"
    content = lost.read_bytes()
    lost.unlink()
    found = admin("verify", image_id)
    assert found.returncode == 1
    assert "9" in found.stdout + found.stderr
    again = admin("rerender", image_id)
    assert again.returncode == 0, again.stdout + again.stderr
    assert lost.read_bytes() == content
    assert admin("verify", image_id).returncode == 0
    actions = [line["Action"] for line in history(image_id)]
    # Two lines an import, and more where a step was tried again.
    assert len(actions) >= 4
    assert set(actions) == {"IMPORT"}


def test_a_damaged_index_is_built_anew(stack, new_slide, bring_in):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    blocks = stack.efs / f"{image_id}_index"
    shutil.rmtree(blocks)
    assert admin("verify", image_id).returncode == 1
    assert admin("rebuild-index", image_id).returncode == 0
    assert blocks.is_dir()
    assert admin("verify", image_id).returncode == 0


def test_failed_imports_are_listed_and_can_be_tried_again(stack, new_slide, bring_in, look):
    _, path = new_slide()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    failed = bring_in(path)
    assert failed["status"] == "FAILED"
    name = failed["ImageID"]
    listed = admin("failed", "--json")
    assert listed.returncode == 0
    assert name in {json.loads(line)["ImageID"] for line in listed.stdout.splitlines()}
    # Nothing about the file has changed: it fails again, and says why.
    retried = admin("retry", name)
    assert retried.returncode == 1
    assert look(name)["ImportError"] in retried.stdout + retried.stderr
    assert admin("retry", "nobody").returncode == 1


def test_the_catalogue_is_exported(stack, new_slide, bring_in, edit, tmp_path):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    edit(image_id, SlideID="=HYPERLINK(1)")
    target = tmp_path / "catalogue.csv"
    done = admin("export", "--format", "csv", "--output", target)
    assert done.returncode == 0, done.stderr
    rows = {row["ImageID"]: row for row in csv.DictReader(target.open())}
    assert rows[image_id]["SlideID"] == "'=HYPERLINK(1)"
    lines = admin("export", "--format", "jsonl").stdout.splitlines()
    assert image_id in {json.loads(line)["ImageID"] for line in lines}
    told = admin("history", image_id, "--json")
    assert told.returncode == 0
    assert "=HYPERLINK(1)" in told.stdout


def test_slides_that_were_copied_to_efs_are_taken_in(stack, new_slide, look):
    image_id, path = new_slide()
    folder = stack.efs / f"copied {image_id}"
    folder.mkdir()
    shutil.copy2(path, folder)
    where = ("--folder", folder.name, "--min-age", "0")
    taken = admin("backfill", *where, "--json")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    (told,) = map(json.loads, taken.stdout.splitlines())
    assert (told["ImageID"], told["state"]) == (image_id, "imported")
    assert look(image_id)["ImportStatus"] == "IMPORTED"
    again = admin("backfill", *where)
    assert (again.returncode, again.stdout) == (0, "")
    assert "1 known" in again.stderr
