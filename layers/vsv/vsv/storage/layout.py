"""Where things lie beneath the images path, and how they get there.

::

    <name>.svs                                  as DataSync left it; sub-folders allowed
    <name>.<version>.svs                        the same, once another file needed its name
    .<digest>.<random>.removing                 a slide file that is being removed
    <ImageID>.dzi                               written last: the pyramid is complete
    <ImageID>.index                             which file, which bytes, which pyramid
    <ImageID>_index/<level>_<col>_<row>         where tiles lie in the slide file, block by block
    <ImageID>_index/damaged/<level>_<col>_<row> tiles that an import found, until it is finished
    <ImageID>_files/<level>/<col>_<row>.jpeg    the pre-rendered pyramid
    <ImageID>_files/{label,thumbnail,macro}.jpeg

The library sees a plain path: EFS today, any file system as well. Files appear whole or not at all:
they are written under a temporary name and then renamed. With a bucket, ``<ImageID>.dzi`` and
``<ImageID>_files/`` are objects there, and all else stays where it is.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from vsv.errors import FileChanged, InvalidRequest, NotFound, quoted
from vsv.identifiers import (
    MAX_NAME_BYTES,
    SLIDE_SUFFIX,
    FileVersion,
    parse_filename,
    parse_image_id,
    why_no_name,
)
from vsv.pyramid.image_store import ImageStore
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile_blocks import BlockAddress
from vsv.slides.damage import EMPTY, Damage
from vsv.slides.file import SlideFile
from vsv.slides.tile_index import TileBlock
from vsv.storage.atomic_files import (
    NOT_A_FILE,
    give_name,
    read_note,
    read_whole,
    remove,
    remove_all,
    write_note,
    write_whole,
)
from vsv.storage.image_folder import ImageFolder, remove_folder

__all__ = ["Storage"]

_INDEX_SUFFIX: Final = ".index"
_MADE_FOLDERS: Final = ("_files", "_index")
_REMOVING: Final = ".removing"
_DAMAGED: Final = "damaged"
_TILE_NAME: Final = re.compile(r"(\d{1,9})_(\d{1,9})_(\d{1,9})", re.ASCII)


def _is_filename(text: str) -> bool:
    """Whether the text can name a slide file; see ``parse_filename``."""
    try:
        parse_filename(text)
    except InvalidRequest:
        return False
    return True


class Storage:
    """The images path and what lies beneath it; images in an S3 bucket, if one is named."""

    def __init__(self, root: Path, bucket: str | None = None) -> None:
        self.root = root
        self._bucket = bucket

    def slide(self, filename: str) -> Path:
        """Return the path of the slide file. Raises InvalidRequest for an invalid name."""
        return self.root / parse_filename(filename)

    def slide_named_like(self, image_id: str) -> Path:
        """Return the path of a slide file whose name is its ImageID, imported or not."""
        return self.root / (parse_image_id(image_id) + SLIDE_SUFFIX)

    def slides(self, folder: str = "", after: str = "") -> Iterator[tuple[str, os.stat_result]]:
        """Return all slide files in the folder and below it, with their states, by name.

        ``after``: only those that come after the file of this name. What the layout keeps for
        itself is left out: what was made of slides, what is being written or removed, files that
        were set aside. A file whose name no slide may have is there; ``parse_filename`` says what
        is wrong with it. Raises InvalidRequest or NotFound for a folder that is none.
        """
        for part in folder.split("/") if folder else ():
            if reason := why_no_name(part):
                raise InvalidRequest(f"folder {quoted(folder)} {reason}")
        prefix = f"{folder}/" if folder else ""
        try:
            yield from _slides(f"{self.root}/{folder}", prefix, after.removeprefix(prefix))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"there is no folder {quoted(folder)}") from error

    def images(self, image_id: str) -> ImageStore:
        """Return the store of the slide's pyramid and associated images."""
        parse_image_id(image_id)
        if self._bucket is None:
            return ImageFolder(self.root, image_id)
        # Brings in the AWS SDK, a good part of a cold start: not where files will do.
        from vsv.storage.image_bucket import ImageBucket

        return ImageBucket(self._bucket, image_id)

    def read_index(self, image_id: str) -> SlideIndex | None:
        """Return the slide's index, or None if none can be used."""
        data = read_whole(self._index(image_id))
        index = SlideIndex.from_bytes(data) if data else None
        return index if index and _is_filename(index.filename) else None

    def write_index(self, image_id: str, index: SlideIndex) -> None:
        """Write the slide's index."""
        write_whole(self._index(image_id), index.to_bytes())

    def read_block(self, image_id: str, address: BlockAddress) -> TileBlock | None:
        """Return the block of the slide's tile index, or None if it cannot be used."""
        text = read_note(self._block(image_id, address))
        return TileBlock.from_text(text) if text else None

    def imported_block(self, image_id: str) -> TileBlock | None:
        """Return any block of the slide's tile index that an import wrote, or None."""
        folder = self._blocks(image_id)
        try:
            paths = [*folder.iterdir()]
        except OSError as error:
            if error.errno not in NOT_A_FILE:
                raise
            return None
        blocks = (TileBlock.from_text(read_note(path) or "") for path in paths)
        imported = (block for block in blocks if block and block.imported)
        return next((block for block in imported if _is_filename(block.filename)), None)

    def write_block(self, image_id: str, address: BlockAddress, block: TileBlock) -> None:
        """Write a block of the slide's tile index."""
        write_note(self._block(image_id, address), block.to_text())

    def note_damage(self, image_id: str, damage: Damage) -> None:
        """Note that a tile of the slide cannot be decoded, until ``clear_damages``.

        Empty tiles are not noted: the slide's directories tell them.
        """
        if damage.reason != EMPTY:
            path = self._damages(image_id) / f"{damage.level}_{damage.col}_{damage.row}"
            write_note(path, damage.reason)

    def damages(self, image_id: str) -> list[Damage]:
        """Return the noted damages by levels, columns and rows."""
        try:
            paths = [*self._damages(image_id).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = []
        for path in paths:
            match = _TILE_NAME.fullmatch(path.name)
            if match:
                level, col, row = map(int, match.groups())
                found.append(Damage(level, col, row, read_note(path) or ""))
        return sorted(found)

    def clear_damages(self, image_id: str) -> None:
        """Remove the notes of ``note_damage``: the index has them now."""
        remove_all(self._damages(image_id))
        with suppress(OSError):  # where there is more of an index
            self._blocks(image_id).rmdir()

    def begin_pyramid(self, image_id: str, index: SlideIndex) -> None:
        """Write the index, and remove a pyramid of other bytes or rendered in another way."""
        if self.read_index(image_id) != index:
            self.remove_pyramid(image_id)
            self.write_index(image_id, index)

    def remove_pyramid(self, image_id: str) -> None:
        """Remove descriptor, index and pyramid, in an order that leaves no false promise."""
        self.images(image_id).clear()
        remove(self._index(image_id))
        remove_all(self._blocks(image_id))

    def archive_images(self, image_id: str, version: FileVersion) -> None:
        """Remove what was made of a slide file that is safe in the archive.

        Label, thumbnail and macro stay, and the index: it says that the slide is archived, and is
        the first to say so. A complete pyramid in a bucket stays as well, for it takes no room on
        EFS and the slide can be viewed from it. May be repeated. Raises FileChanged where the index
        is of other bytes, or missing.
        """
        index = self.read_index(image_id)
        if index is None or index.version != version:
            raise FileChanged("the slide's index is of another file, or missing")
        store = self.images(image_id)
        keeps = (
            self._bucket is not None
            and index.imported
            and len(index.levels) == index.pyramid.level_count
            and store.has_descriptor()
        )
        levels = index.levels if keeps else ()
        self.write_index(image_id, replace(index, archived=True, levels=levels))
        if not keeps:
            store.clear_tiles()
        remove_folder(self._blocks(image_id))

    def remove_slide(self, filename: str, version: FileVersion) -> None:
        """Remove the slide file of that version, wherever it lies (see ``locate``).

        Other bytes stay, even if they get the name at this very moment. May be repeated: what a
        killed call left half done is done then.
        """
        source = self.slide(filename)
        digest = _digest(f"{source.name} {version}")
        for path in (source, self._aside(source, version)):
            if _version_or_none(path) == version:
                # Under a name that no other file ever gets, it is looked at again.
                with suppress(FileNotFoundError):
                    path.rename(source.with_name(f".{digest}.{secrets.token_hex(8)}{_REMOVING}"))
        for doomed in source.parent.glob(f".{digest}.*{_REMOVING}"):
            with suppress(FileNotFoundError):  # another call was faster
                self._remove(doomed, source, version)

    def _remove(self, doomed: Path, source: Path, version: FileVersion) -> None:
        """Remove the file if it is of that version, else give it a name that it is found by."""
        found = FileVersion.of(doomed)
        if found == version:
            doomed.unlink()
            return
        try:
            give_name(doomed, source)
        except FileExistsError:
            doomed.rename(self._aside(source, found))

    def place(self, filename: str, version: FileVersion) -> Path:
        """Return a path where ``locate`` finds a file of that version.

        That is its name, or where another file has that, the one that tells its version.
        """
        source = self.slide(filename)
        return (
            source if _version_or_none(source) in (None, version) else self._aside(source, version)
        )

    def set_aside(self, filename: str, version: FileVersion) -> None:
        """Rename a slide file of that version, so that its name is free for another file.

        The new name tells the version.


        Nothing happens where the name leads to other bytes, or to none.
        """
        source = self.slide(filename)
        if _version_or_none(source) == version:
            source.rename(self._aside(source, version))

    def open(self, filename: str, version: FileVersion) -> SlideFile:
        """Open the file of that version, wherever it lies (see ``locate``). Raises FileChanged."""
        source = self.slide(filename)
        for path in (source, self._aside(source, version)):
            try:
                file = SlideFile(path)
            except FileNotFoundError:
                continue
            if file.version == version:
                return file
            file.close()
        raise FileChanged("the slide file was replaced or removed since it was imported")

    def locate(self, filename: str, version: FileVersion) -> Path:
        """Return the path of the file of that version: under its name, or where it was set aside.

        Raises FileChanged where neither holds those bytes.
        """
        source = self.slide(filename)
        for path in (source, self._aside(source, version)):
            if _version_or_none(path) == version:
                return path
        raise FileChanged("the slide file was replaced or removed since it was imported")

    def _index(self, image_id: str) -> Path:
        return self.root / (parse_image_id(image_id) + _INDEX_SUFFIX)

    def _blocks(self, image_id: str) -> Path:
        return self.root / f"{parse_image_id(image_id)}_index"

    def _damages(self, image_id: str) -> Path:
        return self._blocks(image_id) / _DAMAGED

    def _block(self, image_id: str, address: BlockAddress) -> Path:
        level, col, row = address
        return self._blocks(image_id) / f"{level}_{col}_{row}"

    @staticmethod
    def _aside(source: Path, version: FileVersion) -> Path:
        stem, tail = source.stem, f".{version}{source.suffix}"
        if len((stem + tail).encode()) > MAX_NAME_BYTES:
            stem = _digest(stem)
        return source.with_name(stem + tail)


def _slides(folder: str, prefix: str, after: str) -> Iterator[tuple[str, os.stat_result]]:
    """See ``Storage.slides``; names are told behind the prefix, ``after`` lacks it."""
    is_folder: dict[str, bool] = {}
    made: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_INDEX_SUFFIX):
                stem = entry.name.removesuffix(_INDEX_SUFFIX)
                made.update(stem + ending for ending in _MADE_FOLDERS)
            elif entry.name.startswith(".") or entry.is_symlink():
                continue
            elif entry.name.lower().endswith(SLIDE_SUFFIX) or entry.is_dir():
                is_folder[entry.name] = entry.is_dir()
    first, _, below = after.partition("/")
    for shown, name in sorted((_shown(name), name) for name in is_folder.keys() - made):
        path = f"{folder}/{name}"
        if shown < first:
            continue
        with suppress(FileNotFoundError):  # removed by another call
            if is_folder[name]:
                yield from _slides(path, f"{prefix}{shown}/", below if shown == first else "")
            elif shown != first:
                status = os.stat(path)
                if not _is_aside(shown, FileVersion(status.st_size, status.st_mtime_ns)):
                    yield prefix + shown, status


def _shown(name: str) -> str:
    """Return the file system's name as text that can be sent.

    A name that is not text becomes one that no slide can have.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_aside(name: str, version: FileVersion) -> bool:
    """Whether the file got its name by being set aside: see ``Storage._aside``."""
    return Path(name).stem.endswith(f".{version}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _version_or_none(path: Path) -> FileVersion | None:
    try:
        return FileVersion.of(path)
    except FileNotFoundError:
        return None
