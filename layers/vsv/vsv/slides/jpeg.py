"""What the header of a JPEG file tells without decoding it. Source: ITU-T T.81, Annex B."""

from typing import Final, NamedTuple

__all__ = ["Frame", "read_frame"]

# Start of frame, in all its kinds; the others of these numbers are tables and extensions.
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SCAN: Final = 0xDA


class Frame(NamedTuple):
    """Size in pixels, and the horizontal and vertical sampling factors of each component."""

    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]

    @property
    def has_subsampled_chroma(self) -> bool:
        """Whether chroma has fewer samples than luma (4:2:2, 4:2:0).

        libjpeg's scaled decoding then is not what averaging the decoded pixels gives: it scales
        chroma by as much as luma (4:2:2), or takes it as it is where decoding at full size would
        smooth it. Even against the uncompressed scan that loses 0.2 to 3.5 dB.
        """
        return any(factors != self.sampling[0] for factors in self.sampling[1:])


def read_frame(data: bytes) -> Frame | None:
    """Return what the file's start of frame says; None where there is none."""
    position = 2
    while position + 10 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _FRAMES:
            height, width = data[position + 5 : position + 7], data[position + 7 : position + 9]
            components = data[position + 10 : position + 10 + 3 * data[position + 9]]
            sampling = tuple((factors >> 4, factors & 15) for factors in components[1::3])
            return Frame(int.from_bytes(width), int.from_bytes(height), sampling)
        if marker == _SCAN:
            break
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return None
