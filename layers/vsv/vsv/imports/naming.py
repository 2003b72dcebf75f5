"""ImageIDs: what a slide is known by in URLs, in the tables and beneath the images path.

CloudFront signs what it asks of the bucket and of the function (SigV4), and signs paths with
blanks, ``+`` or letters beyond ASCII otherwise than these check them. So a new ImageID has
characters that nobody encodes.
"""

import hashlib
import re
import unicodedata
from typing import Final

from vsv.identifiers import FileVersion

__all__ = ["image_id_for", "is_url_safe", "unique_image_id"]

_MAX_CHARS: Final = 100
_DIGEST_CHARS: Final = 10
_SAFE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SLIDE_SUFFIX: Final = re.compile(r"\.svs$", re.IGNORECASE)


def is_url_safe(text: str) -> bool:
    """Whether the text can be a new slide's ImageID."""
    return len(text) <= _MAX_CHARS and _SAFE.fullmatch(text) is not None


def image_id_for(tag: str | None, filename: str) -> str:
    """Return the ImageID that a file should have: its ImageID tag if usable, else by its path.

    A path that has to be changed or cut for that is told from others by a hash of it.
    """
    if tag and is_url_safe(tag):
        return tag
    path = _SLIDE_SUFFIX.sub("", filename)
    return path if is_url_safe(path) else _with_digest(path, filename)


def unique_image_id(image_id: str, filename: str, version: FileVersion) -> str:
    """Return the ImageID of a file where another slide has the one that it should have.

    It is the same for the same file, and for no other file or scan.
    """
    return _with_digest(image_id, f"{filename} {version}")


def _with_digest(text: str, subject: str) -> str:
    """Return what can be read of the text, and a hash of the subject."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore")
    safe = _UNSAFE.sub("-", plain.decode().replace("/", "_"))
    # The end of a path tells more than the beginning.
    readable = safe[-(_MAX_CHARS - _DIGEST_CHARS - 1) :].strip("._-")
    digest = hashlib.sha256(subject.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{readable or 'slide'}-{digest}"
