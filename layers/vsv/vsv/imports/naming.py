"""ImageIDs: the names of slides in URLs, in the tables and on the images path.

CloudFront signs its requests to the bucket and to the function (SigV4). It encodes blanks, ``+``
and letters beyond ASCII differently from those who check the signature. So a new ImageID has only
characters that are never encoded.
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
    """Return whether the text can be a new slide's ImageID."""
    return len(text) <= _MAX_CHARS and _SAFE.fullmatch(text) is not None


def image_id_for(tag: str | None, filename: str) -> str:
    """Return the ImageID that a file should have: its ImageID tag if usable, else its path.

    A path that has to be changed or shortened gets a hash that makes it unique.
    """
    if tag and is_url_safe(tag):
        return tag
    path = _SLIDE_SUFFIX.sub("", filename)
    return path if is_url_safe(path) else _with_digest(path, filename)


def unique_image_id(image_id: str, filename: str, version: FileVersion) -> str:
    """Return the ImageID of a file if another slide has the one that it should have.

    It is unique to this file and scan.
    """
    return _with_digest(image_id, f"{filename} {version}")


def _with_digest(text: str, subject: str) -> str:
    """Return the readable characters of the text, and a hash of the subject."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore")
    safe = _UNSAFE.sub("-", plain.decode().replace("/", "_"))
    # The end of a path says more than its beginning.
    readable = safe[-(_MAX_CHARS - _DIGEST_CHARS - 1) :].strip("._-")
    digest = hashlib.sha256(subject.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{readable or 'slide'}-{digest}"
