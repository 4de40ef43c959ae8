"""Whether two PNG pictures of a figure look alike.

Matplotlib's own pictures differ in a few edge pixels when fonts are hinted otherwise, or when a label that grew
by a pixel moved the axes by one. A reader does not see that; a reader does see another curve, colour or digit.
So each neighbourhood of a few pixels must be found in the other picture, in the same colours, within two pixels
of the same place.

Of the ready-made measures, structural similarity is blind to the colour of a thin line, and NVIDIA's FLIP, which looks
for single pixels that flicker, rates other hinting as highly as another digit; test_figures.py holds the cases.
"""

import io
import os
import re
import zlib
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

DIFFERENCES = Path(__file__).resolve().parents[1] / "_build" / "figure-differences"

#: The largest distance that passes. Other hinting and layout stay below 12, and what a reader sees is above 14.
LIMIT = 13
DPI = 144  # at which pictures are compared; those for dense screens have more
BLUR = 1.5  # standard deviation, in pixels, that hides the antialiasing of an edge
PATCH = 5  # width, in pixels, of the neighbourhoods that are compared
SHIFT = 2  # how far, in pixels, a neighbourhood may have moved
SIZE = 3  # how much, in pixels, width and height may differ
CHROMA = 2  # how much more hue counts than lightness: hinting changes only lightness


def read(png):
    """Return a PNG's pixels on white, shape (height, width, 3), from 0 to 1, at most DPI of them an inch."""
    picture = Image.open(io.BytesIO(png))
    scale = min(1, DPI / picture.info.get("dpi", [DPI])[0])
    picture = picture.convert("RGBA").resize([round(scale * size) for size in picture.size], Image.Resampling.BOX)
    white = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"), dtype=np.float32) / 255


def to_lab(pixels):
    """Return sRGB pixels in CIE L*a*b* (D65), where equal distances look about equally far, hue weighted by CHROMA."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear[np.rint(255 * pixels).astype(np.uint8)] @ (to_xyz / to_xyz.sum(axis=1, keepdims=True)).T.astype(np.float32)
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), np.float32(7.787) * xyz + np.float32(16 / 116)), -1, 0)
    return np.stack([116 * y - 16, CHROMA * 500 * (x - y), CHROMA * 200 * (y - z)], axis=-1)


def blur(pixels):
    return ndimage.gaussian_filter(pixels, (BLUR, BLUR, 0))


def local_distance(actual, expected, enough=0):
    """Return how far each neighbourhood of one picture is from the most similar one nearby in the other.

    Places nearby are tried from the nearest on, until no distance is above `enough`.
    """
    # First at the same place, where nearly all pixels of nearly all pictures are the same: only the others need a colour.
    others = (actual != expected).any(axis=-1)
    apart = np.zeros_like(actual)
    apart[others] = to_lab(actual[others]) - to_lab(expected[others])
    least = ndimage.uniform_filter(np.linalg.norm(blur(apart), axis=-1), PATCH)
    if least.max() <= enough:
        return least
    blurred = [blur(to_lab(pixels)) for pixels in (actual, expected)]
    for offset in sorted(product(range(-SHIFT, SHIFT + 1), repeat=2), key=np.linalg.norm)[1:]:
        difference = np.linalg.norm(blurred[0] - np.roll(blurred[1], offset, axis=(0, 1)), axis=-1)
        least = np.minimum(least, ndimage.uniform_filter(difference, PATCH))
        if least.max() <= enough:
            break
    return least


def align(actual, expected):
    """Pad two pictures with white to one size, and move the second to where it fits the first best."""
    larger = np.maximum(actual.shape, expected.shape)
    actual, expected = (np.pad(p, [(0, n) for n in larger - p.shape], constant_values=1) for p in (actual, expected))
    moved = [np.roll(expected, offset, axis=(0, 1)) for offset in product(range(-SIZE, SIZE + 1), repeat=2)]
    return actual, min(moved, key=lambda pixels: np.square(pixels - actual).sum())


def distance(actual, expected, enough=0):
    """Return the map of local distances between two PNGs; its largest value is 0 if they are equal.

    Distances of `enough` and less are not lowered further by looking at places nearby.
    """
    actual, expected = read(actual), read(expected)
    sizes = [f"{width} × {height}" for height, width, _ in (actual.shape, expected.shape)]
    if np.abs(np.subtract(actual.shape, expected.shape)).max() > SIZE:
        raise AssertionError(f"The figure is {sizes[0]} pixels in size; the stored one is {sizes[1]}")
    if actual.shape != expected.shape:
        actual, expected = align(actual, expected)
    return local_distance(actual, expected, enough)


def assert_looks_like(actual, expected):
    """Fail unless two PNGs look alike; then store both, and where they differ, in _build/figure-differences.

    Parameters
    ----------
    actual, expected : bytes
        The PNG that was drawn now, and the one that is stored.
    """
    if actual == expected:
        return
    test = re.sub(r"\W+", "-", os.environ.get("PYTEST_CURRENT_TEST", "figure").rsplit(" ", 1)[0])
    stem = DIFFERENCES / f"{test}-{zlib.crc32(expected):08x}"
    pictures = {"actual": actual, "expected": expected}
    try:
        found = distance(actual, expected, LIMIT)
        if found.max() <= LIMIT:
            return
        row, column = np.unravel_index(found.argmax(), found.shape)
        message = f"The figure differs from the stored one, most at pixel ({column}, {row}): {found.max():.1f}, limit {LIMIT}"
        heat = io.BytesIO()
        Image.fromarray((255 * (1 - np.clip(found / LIMIT / 2, 0, 1))).astype(np.uint8)).save(heat, "png")
        pictures["difference"] = heat.getvalue()
    except AssertionError as error:
        message = str(error)
    DIFFERENCES.mkdir(parents=True, exist_ok=True)
    for kind, png in pictures.items():
        Path(f"{stem}-{kind}.png").write_bytes(png)
    raise AssertionError(f"{message}\nLook at {stem}-{{{','.join(pictures)}}}.png")
