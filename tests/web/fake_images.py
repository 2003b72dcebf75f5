"""Draws the fake backend's images: labels, and tiles that show their level, column and row."""

import functools
import hashlib
import io

from PIL import Image, ImageDraw

TILE_SIZE = 240


@functools.cache
def tissue() -> Image.Image:
    """Draw a pink area with purple dots, on which positions can be told apart."""
    image = Image.new("RGB", (1000, 750), "#f3f0f2")
    draw = ImageDraw.Draw(image)
    for number in range(260):
        turn = hashlib.sha256(str(number).encode()).digest()
        x, y, radius = 180 + turn[0] * 2.5, 140 + turn[1] * 1.8, 12 + turn[2] / 6
        ellipse = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(ellipse, fill=("#e7b3cc", "#d99cbf", "#efc4d8")[turn[3] % 3])
    for number in range(1500):
        turn = hashlib.sha256(f"n{number}".encode()).digest()
        x, y = 180 + turn[0] * 2.5 + turn[4] / 16, 140 + turn[1] * 1.8 + turn[5] / 16
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill="#6a4c93")
    return image


@functools.lru_cache(maxsize=2000)
def draw_tile(width: int, height: int, level: int, col: int, row: int) -> bytes:
    """Draw a tile of the exact DeepZoom size, with its level, column and row as text."""
    shrink = 2 ** ((max(width, height) - 1).bit_length() - level)
    size = (-(-width // shrink), -(-height // shrink))
    box = (
        col * TILE_SIZE,
        row * TILE_SIZE,
        min((col + 1) * TILE_SIZE, size[0]),
        min((row + 1) * TILE_SIZE, size[1]),
    )
    source = tissue()
    scale = (source.width / size[0], source.height / size[1])
    tile = source.resize(
        (box[2] - box[0], box[3] - box[1]),
        Image.Resampling.BILINEAR,
        (box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]),
    )
    draw = ImageDraw.Draw(tile)
    draw.rectangle((0, 0, tile.width - 1, tile.height - 1), outline="#d8c8d2")
    draw.text((6, 4), f"{level}/{col}_{row}", fill="#5a4a66")
    return jpeg(tile)


def draw_label(text: str) -> bytes:
    image = Image.new("RGB", (400, 420), "white")
    draw = ImageDraw.Draw(image)
    draw.text((24, 24), text[:22], fill="black")
    for number, bit in enumerate(f"{int.from_bytes(hashlib.sha256(text.encode()).digest()):0256b}"):
        x, y = 110 + number % 16 * 11, 180 + number // 16 * 11
        if bit == "1":
            draw.rectangle((x, y, x + 10, y + 10), fill="black")
    return jpeg(image)


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
