"""The demonstration: three cases take the way from the scanner's folder to the viewer."""

import configparser
import contextlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from local import services
from local.settings import CACHE, ROOT, SCANNER, STATE, StackError
from vsv.catalogue import accessors
from vsv.catalogue.record import SlideRecord
from vsv.catalogue.table import Catalogue

_HEALTH_INTERVAL_S: Final = 5.0
_IMPORT_TIMEOUT_S: Final = 1800
_REAL_SLIDE: Final = "cmu_small_region.svs"
_SCRIPT: Final = ROOT / "scanscope" / "import_slides.py"


def run(stack: Mapping[str, str]) -> None:
    """Import the sample slides into the running stack, say what to look at, wait for Ctrl-C.

    Slides that the catalogue knows stay as they are, with what people have made of their records.
    """
    from local.sample_slides.demo_slides import SLIDES  # heavy imports, for the demonstration only

    fails = {_REAL_SLIDE: False, **{slide.filename: slide.fails for slide in SLIDES}}
    waiting = [name for name in fails if not is_settled(stack, name, fails=fails[name])]
    if waiting:
        try:
            _scan(waiting)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise StackError(f"the sample slides cannot be had: {error}") from error
        print("Importing. One file is cut off, and its import fails.", flush=True)
        log = _import(stack)
        for name in waiting:
            if not is_settled(stack, name, fails=fails[name]):
                problem = "has no failed import" if fails[name] else "was not imported"
                raise StackError(f"{name} {problem}: see {log}")
    print(_invitation(stack, is_first=len(waiting) == len(fails)), flush=True)
    _serve()


def is_imported(stack: Mapping[str, str], filename: str) -> bool:
    """Tell whether the catalogue has an imported slide of this file."""
    return any(map(accessors.is_imported, _records(stack, filename)))


def is_settled(stack: Mapping[str, str], filename: str, *, fails: bool) -> bool:
    """Tell whether nothing is left to do for this file: it is imported, or failed as it ``fails``.

    A slide that was deleted or archived since is settled, too.
    """
    records = _records(stack, filename)
    return any(
        accessors.is_imported(record) or (fails and accessors.has_failed(record))
        for record in records
    )


def _records(stack: Mapping[str, str], filename: str) -> list[SlideRecord]:
    tables = services.session().resource("dynamodb", endpoint_url=stack["aws_endpoint_url"])
    return Catalogue(tables, stack["table_name"]).by_filename(filename)


def _scan(names: Collection[str]) -> None:
    """Put slides into the scanner's folder, as a scanner would: here is a new file."""
    from local import samples  # heavy imports, for the demonstration only

    print("Scanning", flush=True)
    real = samples.real_slide(CACHE)
    for name, source in {_REAL_SLIDE: real, **scanned(names, real, CACHE)}.items():
        if name not in names or (SCANNER / name).exists():
            continue
        # The script must never see half a file under a slide's name.
        arriving = SCANNER / f"{name}.part"
        shutil.copyfile(source, arriving)
        arriving.replace(SCANNER / name)


def scanned(names: Collection[str], real: Path, cache: Path) -> dict[str, Path]:
    """Return the generated slides of these names; they are made once, and kept in ``cache``."""
    from local import samples
    from local.sample_slides import demo_slides

    folder = cache / f"demo-{demo_slides.VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    slides = [slide for slide in demo_slides.SLIDES if slide.filename in names]
    missing = [slide for slide in slides if not (folder / slide.filename).exists()]
    if missing:
        stock = demo_slides.Stock(samples.pixels_of(real))
        for slide in missing:
            print(f"  {slide.filename}", flush=True)
            demo_slides.make(slide, stock, folder / slide.filename)
    return {slide.filename: folder / slide.filename for slide in slides}


def _import(stack: Mapping[str, str]) -> Path:
    """Run the workstation's script until nothing in the scanner's folder waits; return its log.

    Its exit status also counts other slides in the folder, so the catalogue decides.
    """
    config = write_scanner_config(stack, STATE / "scanscope" / "import_slides.ini")
    subprocess.run(
        [
            *(sys.executable, str(_SCRIPT), "--config", str(config)),
            *("--until-done", "--timeout", str(_IMPORT_TIMEOUT_S)),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return config.with_suffix(".log")


def write_scanner_config(stack: Mapping[str, str], path: Path) -> Path:
    """Write the script's configuration; it holds the client's secret."""
    config = configparser.ConfigParser(interpolation=None)
    config["scanner"] = {"folder": str(SCANNER), "min_age_s": "2", "settle_s": "1"}
    config["api"] = {"api_url": stack["api_url"]}
    config["login"] = {
        "token_url": stack["token_url"],
        "client_id": stack["scanner_client_id"],
        "client_secret": stack["scanner_client_secret"],
    }
    config["run"] = {"interval_s": "2"}
    text = io.StringIO()
    config.write(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text.getvalue())
    return path


def _invitation(stack: Mapping[str, str], *, is_first: bool) -> str:
    state = "Three cases are imported." if is_first else "Slides are as you left them."
    return f"""
Ready. {state}

  Viewer       {stack["viewer_url"]}
  Technician   {stack["technician_username"]}   {stack["technician_password"]}
  Pathologist  {stack["pathologist_username"]}  {stack["pathologist_password"]}

A technician's morning:
  Two slides are not identified: a label is handwritten (CMU-1), one has no code (S26-05133-B2).
  S26-05102-A4 is out of focus. The import of shave_cut_off.svs has failed, and says why.
A pathologist's case:
  S26-05102: serial sections of skin, in H&E and stained for keratin.
  S26-05118: a tissue microarray, 40,960 pixels wide, and its keratin stain.

Ctrl-C stops the stack; its state is kept."""


def _serve() -> None:
    """Wait for Ctrl-C or ``make down``, as long as the servers live."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(_HEALTH_INTERVAL_S)
            for service in services.all_services():
                if service.pid is None:
                    if service.was_stopped:
                        return
                    raise StackError(f"{service.name} has ended: see {service.log}")
