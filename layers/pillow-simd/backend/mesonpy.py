"""Tells pip what openslide-bin's source is, so that pip downloads it.

pip asks a source's build backend for name and version. This one's is written to refuse, since the
source is not meant to be built by pip; nor do we: we take libjpeg-turbo and OpenJPEG from it.
"""

import shutil
from pathlib import Path


def get_requires_for_build_wheel(config_settings: object = None) -> list[str]:
    """Return what must be installed first: nothing."""
    return []


def prepare_metadata_for_build_wheel(folder: str, config_settings: object = None) -> str:
    """Write the metadata, as the source has it, and return its folder's name."""
    info = Path(folder, "openslide_bin.dist-info")
    info.mkdir()
    shutil.copy("PKG-INFO", info / "METADATA")
    return info.name
