"""Where things lie beneath the images path, and how they get there.

::

    <name>.svs                                  as DataSync left it; sub-folders allowed
    <name>.<version>.svs                        the same, once another file needed its name
    <ImageID>.dzi                               written last: the pyramid is complete
    <ImageID>.index                             which file, which bytes, which pyramid
    <ImageID>_index/<level>_<col>_<row>         where tiles lie in the slide file, block by block
    <ImageID>_files/<level>/<col>_<row>.jpeg    the pre-rendered pyramid
    <ImageID>_files/{label,thumbnail,macro}.jpeg

The library sees a plain path: EFS today, any file system as well. Files appear whole or not at all:
they are written under a temporary name and then renamed.
"""

import errno
import os
import secrets
import shutil
import unicodedata
from pathlib import Path
from typing import Final

from vsv.deepzoom import TileAddress
from vsv.errors import FileChanged, InvalidRequest
from vsv.index import BlockAddress, SlideIndex
from vsv.slides import FileVersion, TileBlock

__all__ = ["Storage", "parse_filename", "parse_image_id", "read_note", "write_note", "write_whole"]

_SLIDE_SUFFIX: Final = ".svs"
# Bytes that a name may have on EFS and on every file system that it may be copied to.
_MAX_NAME_BYTES: Final = 255
# An ImageID gets suffixes ("_files", ".index", a temporary name's) and must fit a DynamoDB key.
_MAX_IMAGE_ID_BYTES: Final = 200
_MAX_FILENAME_BYTES: Final = 1024
# What Windows forbids in names, so no scanner can have made it. "|" and "*" would also be read as
# separator and wildcard by DataSync's filters, "%" twice by URL decoders.
_FORBIDDEN: Final = frozenset('\\:*?"<>|')
_PARTIAL: Final = ".partial"
# What EFS takes as a symbolic link's target is 4,080 bytes long at most.
_MAX_LINK_BYTES: Final = 4000
_NO_LINKS_HERE: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})


def parse_filename(text: object) -> str:
    """Return the caller's slide file name, or raise InvalidRequest saying what is wrong with it.

    A file name is relative to the images path; sub-folders are separated by ``/``.
    """
    if not isinstance(text, str) or not text:
        raise InvalidRequest("filename must be a text")
    shown = text if len(text) <= 80 else text[:77] + "..."
    if len(text.encode("utf-8", "surrogatepass")) > _MAX_FILENAME_BYTES:
        raise InvalidRequest(f"filename {shown!r} is longer than {_MAX_FILENAME_BYTES} bytes")
    for part in text.split("/"):
        reason = _wrong_name(part)
        if reason:
            raise InvalidRequest(f"filename {shown!r} {reason}")
    if not text.lower().endswith(_SLIDE_SUFFIX):
        raise InvalidRequest(f"filename {shown!r} does not end with {_SLIDE_SUFFIX}")
    return text


def parse_image_id(text: str) -> str:
    """Return the ImageID, or raise InvalidRequest where it cannot name a file."""
    reason = _wrong_name(text)
    if reason is None and ("/" in text or "%" in text):
        reason = "holds a character that ImageIDs may not have"
    if reason is None and len(text.encode()) > _MAX_IMAGE_ID_BYTES:
        reason = f"is longer than {_MAX_IMAGE_ID_BYTES} bytes"
    if reason:
        raise InvalidRequest(f"ImageID {text[:80]!r} {reason}")
    return text


def _wrong_name(name: str) -> str | None:
    """Why ``name`` cannot be the name of one file or folder, or None."""
    if not name.strip():
        return "has an empty part"
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if len(encoded) > _MAX_NAME_BYTES:
        return f"has a part of more than {_MAX_NAME_BYTES} bytes"
    if name.startswith(".") or name.endswith((".", " ")):
        return "has a part that starts with a dot, or ends with a dot or a space"
    if any(char in _FORBIDDEN or unicodedata.category(char) in ("Cc", "Cs") for char in name):
        return "holds a character that file names may not have"
    return None


def write_whole(path: Path, data: bytes) -> None:
    """Write the file so that readers see the old one or the new one, never a part."""
    partial = path.with_name(f".{secrets.token_hex(8)}{_PARTIAL}")
    try:
        try:
            partial.write_bytes(data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_note(path: Path, text: str) -> None:
    """Keep a short text so that it is read in one call: as what a symbolic link points to.

    A text that is too long for that, or a file system without links, gets a file.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}{_PARTIAL}")
    if len(text.encode()) > _MAX_LINK_BYTES:
        write_whole(path, text.encode())
        return
    try:
        try:
            partial.symlink_to(text)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.symlink_to(text)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno not in _NO_LINKS_HERE:
            raise
        write_whole(path, text.encode())


def read_note(path: Path) -> str | None:
    """Return what ``write_note`` kept; None where there is nothing."""
    try:
        return os.readlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return path.read_text()


class Storage:
    """The images path and what lies beneath it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def slide(self, filename: str) -> Path:
        """Path of the slide file. Raises InvalidRequest for a name that is not one."""
        return self.root / parse_filename(filename)

    def slide_named_like(self, image_id: str) -> Path:
        """Path of a slide file that carries its ImageID as its name, imported or not."""
        return self.root / (parse_image_id(image_id) + _SLIDE_SUFFIX)

    def descriptor(self, image_id: str) -> Path:
        """Path of the ``.dzi`` file: it exists where the pyramid is complete."""
        return self.root / f"{parse_image_id(image_id)}.dzi"

    def files(self, image_id: str) -> Path:
        """Path of the folder that holds the pyramid's levels and the associated images."""
        return self.root / f"{parse_image_id(image_id)}_files"

    def tile(self, image_id: str, address: TileAddress) -> Path:
        """Path of a pre-rendered tile."""
        level, col, row = address
        return self.files(image_id) / str(level) / f"{col}_{row}.jpeg"

    def associated_image(self, image_id: str, name: str) -> Path:
        """Path of the label, thumbnail or macro."""
        return self.files(image_id) / f"{name}.jpeg"

    def read_index(self, image_id: str) -> SlideIndex | None:
        """The slide's index, or None where there is none that can be used."""
        try:
            return SlideIndex.from_bytes(self._index(image_id).read_bytes())
        except FileNotFoundError:
            return None

    def write_index(self, image_id: str, index: SlideIndex) -> None:
        """Write the slide's index."""
        write_whole(self._index(image_id), index.to_bytes())

    def read_block(self, image_id: str, address: BlockAddress) -> TileBlock | None:
        """The block of the slide's tile index, or None where there is none that can be used."""
        text = read_note(self._block(image_id, address))
        return TileBlock.from_text(text) if text else None

    def write_block(self, image_id: str, address: BlockAddress, block: TileBlock) -> None:
        """Write a block of the slide's tile index."""
        write_note(self._block(image_id, address), block.to_text())

    def claim_pyramid(self, image_id: str, index: SlideIndex) -> None:
        """Make what is there this index's: tiles of other bytes, or rendered otherwise, go."""
        if self.read_index(image_id) != index:
            self.remove_pyramid(image_id)
            self.write_index(image_id, index)

    def remove_pyramid(self, image_id: str) -> None:
        """Remove descriptor, index and pyramid, in an order that leaves no false promise."""
        self.descriptor(image_id).unlink(missing_ok=True)
        self._index(image_id).unlink(missing_ok=True)
        shutil.rmtree(self._blocks(image_id), ignore_errors=True)
        shutil.rmtree(self.files(image_id), ignore_errors=True)

    def set_aside(self, filename: str, version: FileVersion) -> None:
        """Free the name: a slide file of that version gets a name that tells its version.

        Nothing happens where the name leads to other bytes, or to none.
        """
        source = self.slide(filename)
        if _version_or_none(source) == version:
            source.rename(self._aside(source, version))

    def locate(self, filename: str, version: FileVersion) -> Path:
        """Path of the file of that version: under its name, or where it was set aside.

        Raises FileChanged where neither holds those bytes.
        """
        source = self.slide(filename)
        for path in (source, self._aside(source, version)):
            if _version_or_none(path) == version:
                return path
        raise FileChanged("the slide file was replaced or removed since it was imported")

    def count_tiles(self, image_id: str, level: int) -> int:
        """Count the level's tiles, and sweep up what killed writers left behind."""
        return self._sweep(self.files(image_id) / str(level))

    def _index(self, image_id: str) -> Path:
        return self.root / f"{parse_image_id(image_id)}.index"

    def _blocks(self, image_id: str) -> Path:
        return self.root / f"{parse_image_id(image_id)}_index"

    def _block(self, image_id: str, address: BlockAddress) -> Path:
        level, col, row = address
        return self._blocks(image_id) / f"{level}_{col}_{row}"

    @staticmethod
    def _aside(source: Path, version: FileVersion) -> Path:
        return source.with_name(f"{source.stem}.{version}{source.suffix}")

    @staticmethod
    def _sweep(folder: Path) -> int:
        count = 0
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(_PARTIAL):
                        Path(entry.path).unlink(missing_ok=True)
                    else:
                        count += 1
        except FileNotFoundError:
            return 0
        return count


def _version_or_none(path: Path) -> FileVersion | None:
    try:
        return FileVersion.of(path)
    except FileNotFoundError:
        return None
