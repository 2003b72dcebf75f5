"""Shows mutants through the functions' own handlers, each in a process of its own.

What ends such a process, or keeps it busy, ends nothing else. Time is processor time: a busy
machine makes no mutant slow.
"""

import gc
import hashlib
import importlib
import importlib.util
import json
import os
import resource
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tests.handlers import load_handler
from tests.mutants.mutate import Mutator, damage_index
from vsv import wiring
from vsv.errors import VsvError
from vsv.identifiers import FileVersion
from vsv.storage.layout import Storage

IMAGE_ID = "slide"
# One in this number of mutants is one of what the library keeps about a slide.
INDEX_SHARE = 10
CPU_S = 10
IMAGE_REQUEST_MB = 512
STEP_MB = 1769
_NEEDED_LATE = (
    *("_strptime", "PIL.ImageMath", "PIL.ImageOps", "PIL.ImageSequence", "vsv._tiffcodec"),
    *(
        "vsv.imports.steps",
        "vsv.slides.associated",
        "vsv.slides.openslide_reader",
        "vsv.slides.jpeg2000",
    ),
)
# Keeps a mutant that breaks its bound from taking the machine along.
_MOST_BYTES = 6 * 2**30

PATHS = (
    ".dzi",
    "_files/10/0_0.jpeg",
    "_files/10/4_3.jpeg",
    "_files/10/1_1.png",
    "_files/9/1_1.jpeg",
    "_files/9/2_1.jpeg",
    "_files/8/0_0.jpeg",
    "_files/6/0_0.jpeg",
    "_files/0/0_0.jpeg",
    "_files/label.jpeg",
    "_files/thumbnail.jpeg",
    "_files/macro.png",
)
TILE_OF_254 = ("_files/9/0_0.jpeg", {"tilesize": "254", "overlap": "1"})


@dataclass
class Result:
    """What became of one mutant: ``faults`` in sentences, how often each status was answered."""

    seed: int
    slide: str
    kind: str
    faults: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    image_request_mb: int = 0
    step_mb: int = 0


class MemoryCatalogue:
    """A catalogue of one process: as much of it as the import's steps ask for."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}

    def get(self, image_id: str) -> dict[str, Any] | None:
        return self.records.get(image_id)

    def by_sha256(self, _: str) -> list[dict[str, Any]]:
        return []

    def by_filename(self, _: str) -> list[dict[str, Any]]:
        return list(self.records.values())

    def change(self, image_id: str, _by: str, _action: str, decide: Callable[..., Any]) -> Any:
        self.records[image_id] = decide(self.records.get(image_id))
        return self.records[image_id]

    def add_rendered(self, *_: Any) -> None:
        pass


_HANDLERS = {
    name: load_handler(name) for name in ("ImageRequest", "ExtractMetadata", "RenderTiles")
}


def get(path: str, query: dict[str, str] | None = None) -> Any:
    event = {
        "httpMethod": "GET",
        "path": f"/DeepZoom/{IMAGE_ID}{path}",
        "queryStringParameters": query,
        "headers": {},
        "requestContext": {"requestId": "r-1"},
    }
    return _HANDLERS["ImageRequest"](event, None)


def show(root: Path) -> tuple[Counter[str], list[str], dict[str, str]]:
    """Ask ImageRequest for all; return the statuses, faults, and each answer's digest."""
    os.environ.update(IMAGES_PATH=str(root), CLIENT_ID="viewer")
    statuses: Counter[str] = Counter()
    faults = []
    digests = {}
    for path, query in [*((path, None) for path in PATHS), TILE_OF_254]:
        answer = get(path, query)
        statuses[str(answer["statusCode"])] += 1
        digests[f"{path} {query or ''}"] = hashlib.sha256(answer["body"].encode()).hexdigest()
        if answer["statusCode"] >= 500:
            faults.append(f"{answer['statusCode']} for {path}")
    return statuses, faults, digests


def import_(root: Path) -> list[str]:
    """Run the import's steps; return what an import says where it fails otherwise than by name."""
    os.environ.update(IMAGES_PATH=str(root), BARCODE_SEARCH_MS="0", TILES_PER_PIECE="1000")
    catalogue = MemoryCatalogue()
    wiring.catalogue = lambda: catalogue  # type: ignore[assignment]
    path = root / f"{IMAGE_ID}.svs"
    version = FileVersion.of(path)
    job = {
        "image_id": IMAGE_ID,
        "filename": path.name,
        "size": version.size,
        "mtime_ns": version.mtime_ns,
    }
    try:
        plan = _HANDLERS["ExtractMetadata"](job, None)
        for piece in plan["pieces"]:
            _HANDLERS["RenderTiles"]({"job": job, "piece": piece}, None)
    except VsvError:
        pass
    except Exception:  # noqa: BLE001  that is what is looked for
        return [f"a step raised {traceback.format_exc()}"]
    return []


def in_child(work: Callable[[], Any]) -> tuple[Any, str | None, float, int]:
    """Run it in a process of its own; return its value, what ended it, and what it used.

    That is processor time in seconds, and memory in MB.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            resource.setrlimit(resource.RLIMIT_CPU, (2 * CPU_S, 2 * CPU_S + 5))
            resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with open(writer, "w") as pipe:
                json.dump(work(), pipe)
            code = 0
        except BaseException:  # noqa: BLE001  the parent is told by the exit code
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader) as pipe:
        text = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    end = None
    if os.WIFSIGNALED(status):
        end = f"killed by signal {os.WTERMSIG(status)}"
    elif status:
        end = f"ended with {os.waitstatus_to_exitcode(status)}"
    value = json.loads(text) if text and end is None else None
    return value, end, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def run(seed: int, bases: Path, folder: Path) -> Result:
    """Make the mutant of that seed in the folder, and see what becomes of it."""
    paths = sorted(bases.glob("*.svs"))
    base = paths[seed % len(paths)]
    if seed // len(paths) % INDEX_SHARE == 0:
        return _run_index(seed, base, folder)
    mutator = Mutator(base.read_bytes(), seed)
    result = Result(seed, base.stem, mutator.mutate())
    slide = folder / f"{IMAGE_ID}.svs"
    slide.write_bytes(mutator.data)
    if seed % 2:
        _shown(result, "ImageRequest before the import", folder)
    faults, end, cpu_s, result.step_mb = in_child(lambda: import_(folder))
    _judge(result, "import", end, cpu_s, result.step_mb, STEP_MB)
    result.faults += faults or []
    if not seed % 2:
        _shown(result, "ImageRequest after the import", folder)
    return result


def _run_index(seed: int, base: Path, folder: Path) -> Result:
    shutil.copytree(base.with_suffix(".imported"), folder, dirs_exist_ok=True, symlinks=True)
    result = Result(seed, base.stem, damage_index(folder, IMAGE_ID, seed))
    expected = json.loads(base.with_suffix(".digests").read_text())
    for when in ("beside the damaged index", "beside the rebuilt index"):
        shown = _shown(result, f"ImageRequest {when}", folder) or expected
        others = [path for path in expected if shown[path] != expected[path]]
        result.faults += [f"{path} {when} is another than beside the sound one" for path in others]
    if set(result.statuses) != {"200"}:
        result.faults.append("not all is shown")
    if Storage(folder).read_index(IMAGE_ID) is None:
        result.faults.append("the index was not rebuilt")
    return result


def _shown(result: Result, when: str, folder: Path) -> dict[str, str] | None:
    value, end, cpu_s, memory_mb = in_child(lambda: show(folder))
    result.image_request_mb = max(result.image_request_mb, memory_mb)
    _judge(result, when, end, cpu_s, memory_mb, IMAGE_REQUEST_MB)
    if value is None:
        return None
    statuses, faults, digests = value
    result.statuses = dict(Counter(result.statuses) + Counter(statuses))
    result.faults += [f"{when}: {fault}" for fault in faults]
    return dict(digests)


def _judge(
    result: Result, when: str, end: str | None, cpu_s: float, memory_mb: int, most_mb: int
) -> None:
    result.cpu_s = max(result.cpu_s, cpu_s)
    if end:
        result.faults.append(f"{when}: {end}")
    if cpu_s > CPU_S:
        result.faults.append(f"{when}: took {cpu_s:.1f} s")
    if memory_mb > most_mb:
        result.faults.append(f"{when}: took {memory_mb} MB")


def warm_up() -> None:
    """Load what each child would load when it first needs it; keep it out of collectors' way."""
    Image.init()
    for name in _NEEDED_LATE:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def prepare(bases: Path) -> None:
    """Import the sound slides, for mutants of what the library keeps about them."""
    for base in sorted(bases.glob("*.svs")):
        folder = base.with_suffix(".imported")
        folder.mkdir()
        shutil.copy2(base, folder / f"{IMAGE_ID}.svs")
        faults, end, *_ = in_child(lambda folder=folder: import_(folder))
        assert (faults, end) == ([], None), (base, faults, end)
        (folder / f"{IMAGE_ID}.dzi").touch()
        value, end, *_ = in_child(lambda folder=folder: show(folder))
        assert set(value[0]) == {"200"}, (base, value, end)
        base.with_suffix(".digests").write_text(json.dumps(value[2]))


def results(seeds: range, bases: Path) -> Iterator[Result]:
    """Run these mutants one after the other."""
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            yield run(seed, bases, Path(folder))


def main() -> None:
    """Run a worker on the sound slides' folder and a range of seeds; print a JSON line a mutant."""
    bases, *numbers = sys.argv[1:]
    warm_up()
    for result in results(range(*map(int, numbers)), Path(bases)):
        print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main()
