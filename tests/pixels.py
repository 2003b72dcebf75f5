"""What tests compare pixels by."""

import io

import numpy as np
from PIL import Image


def decoded(source) -> np.ndarray:
    """Return the pixels of an image file, given as bytes, as a path or open, in floating point."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"), float)


def psnr(one, other) -> float:
    """Peak signal-to-noise ratio, in dB; equal images have 138."""
    error = np.mean((np.asarray(one, float) - np.asarray(other, float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def block_means(pixels, factor):
    """Return the reference box filter.

    Exact means of blocks, and of what there is of them at edges.
    """
    for axis in (0, 1):
        starts = np.arange(0, pixels.shape[axis], factor)
        counts = np.diff(np.append(starts, pixels.shape[axis]))
        shape = [-1 if other == axis else 1 for other in range(3)]
        pixels = np.add.reduceat(pixels, starts, axis) / counts.reshape(shape)
    return pixels
