"""The demonstration: two slides take the way from the scanner's folder to the viewer."""

import configparser
import contextlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local import services
from local.settings import CACHE, ROOT, SCANNER, STATE, StackError
from vsv.catalogue import accessors
from vsv.catalogue.table import Catalogue

_HEALTH_INTERVAL_S: Final = 5.0
_IMPORT_TIMEOUT_S: Final = 1800
_REAL_SLIDE: Final = "cmu_small_region.svs"
_GENERATED_SLIDE: Final = "generated_pyramid.svs"
_SCRIPT: Final = ROOT / "scanscope" / "import_slides.py"


def run(stack: Mapping[str, str]) -> None:
    """Import the sample slides into the running stack, say where they are, wait for Ctrl-C."""
    waiting = [name for name in (_REAL_SLIDE, _GENERATED_SLIDE) if not is_imported(stack, name)]
    if waiting:
        try:
            _scan(waiting)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise StackError(f"the sample slides cannot be had: {error}") from error
        print("Importing", flush=True)
        log = _import(stack)
        for name in waiting:
            if not is_imported(stack, name):
                raise StackError(f"{name} was not imported: see {log}")
    print(_invitation(stack), flush=True)
    _serve()


def is_imported(stack: Mapping[str, str], filename: str) -> bool:
    """Tell whether the catalogue has an imported slide of this file."""
    tables = services.session().resource("dynamodb", endpoint_url=stack["aws_endpoint_url"])
    records = Catalogue(tables, stack["table_name"]).by_filename(filename)
    return any(map(accessors.is_imported, records))


def _scan(names: list[str]) -> None:
    """Put slides into the scanner's folder, as a scanner would: here is a new file."""
    from local import samples  # heavy imports, for the demonstration only

    print("Scanning", flush=True)
    real = samples.real_slide(CACHE)
    for name in names:
        if (SCANNER / name).exists():
            continue
        print(f"  {name}", flush=True)
        source = real if name == _REAL_SLIDE else CACHE / name
        if not source.exists():
            samples.generated_slide(source, real)
        # The script must never see half a file under a slide's name.
        arriving = SCANNER / f"{name}.part"
        shutil.copyfile(source, arriving)
        arriving.replace(SCANNER / name)


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


def _invitation(stack: Mapping[str, str]) -> str:
    return f"""
Ready. Both slides are imported.

  Viewer       {stack["viewer_url"]}
  Technician   {stack["technician_username"]}   {stack["technician_password"]}
  Pathologist  {stack["pathologist_username"]}  {stack["pathologist_password"]}

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
