"""What the header of a JPEG file tells without decoding it. Source: ITU-T T.81, Annex B."""

from typing import Final

__all__ = ["has_subsampled_chroma"]

# Start of frame, in all its kinds; the others of these numbers are tables and extensions.
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SCAN: Final = 0xDA


def has_subsampled_chroma(data: bytes) -> bool:
    """Whether chroma has fewer samples than luma (4:2:2, 4:2:0).

    libjpeg's scaled decoding then is not what averaging the decoded pixels gives: it scales chroma
    by as much as luma (4:2:2), or takes it as it is where decoding at full size would smooth it.
    Even against the uncompressed scan that loses 0.2 to 3.5 dB.
    """
    luma, *chroma = _sampling_factors(data) or [(1, 1)]
    return any(luma != part for part in chroma)


def _sampling_factors(data: bytes) -> list[tuple[int, int]]:
    """Horizontal and vertical sampling factors of each component; none where no frame is found."""
    position = 2
    while position + 10 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _FRAMES:
            components = data[position + 10 : position + 10 + 3 * data[position + 9]]
            return [(factors >> 4, factors & 15) for factors in components[1::3]]
        if marker == _SCAN:
            break
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return []
