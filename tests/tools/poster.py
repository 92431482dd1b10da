"""Draw docs/comparison.jpg of the README: windows of scenes as they were, from mtcodec, and from AVIF.

    python tests/tools/poster.py OUTPUT.jpg --scene SCENE QUALITY X Y SIDE --scene ...

QUALITY is mtcodec's; X, Y and SIDE are left, top and side of a square window in pixels. AVIF files of a
scene, one an image, have the same setting: the best with which they take together no more bytes than
mtcodec's one file; or the lowest, where they always take more.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

import mtcodec
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.measure import image_codecs
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL
from mtcodec.view import colours

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TASKS = "rgb", "depth", "normal"
ROWS = "original", "mtcodec", "AVIF"


Window = tuple[slice, slice]


@dataclass
class Row:
    """One of ROWS: bytes of all files of a scene, and the images that they hold."""

    size: int
    images: dict[str, Array]


@dataclass
class Part:
    """A window of a scene, in the order of ROWS."""

    signals: dict[str, Signal]
    window: Window
    rows: list[Row]


def avif(signals: dict[str, Signal], max_bytes: int) -> Row:
    """AVIF files of all tasks together, of at most ``max_bytes`` if there are such."""
    files: dict[str, bytes] = {}
    for quality in range(100, -1, -1):
        files = {name: image_codecs.encode("avif", signal, quality) for name, signal in signals.items()}
        if sum(map(len, files.values())) <= max_bytes:
            break
    images = {name: image_codecs.decode("avif", files[name], signal) for name, signal in signals.items()}
    return Row(sum(map(len, files.values())), images)


def coded(directory: Path, quality: int, x: int, y: int, side: int) -> Part:
    """A scene as it was, by mtcodec, and by AVIF; of it a square of ``side`` pixels at (x, y)."""
    (scene,) = find_scenes(directory)
    all_images = read_scene(scene)
    images = {name: all_images[name] for name in TASKS if name in all_images}
    signals = {name: Signal.from_image(USUAL[name], image) for name, image in images.items()}
    data = mtcodec.encode(images, quality=quality)
    original_bytes = sum(Path(scene.files[name]).stat().st_size for name in images)
    rows = [Row(original_bytes, images), Row(len(data), mtcodec.decode(data)), avif(signals, len(data))]
    return Part(signals, (slice(y, y + side), slice(x, x + side)), rows)


def displayable(name: str, image: Array, original: Array, window: Window) -> np.ndarray:
    """A part of an image in colours; depth in those of the part of the original."""
    if name != "depth":
        return image[window]
    valid = original[window] > 0
    low, high = np.percentile(original[window][valid], (1, 99))
    shares = np.clip((image[window].astype(np.float64) - low) / max(high - low, 1e-9), 0, 1)
    return np.where((image[window] > 0)[..., None], colours.apply_map(shares, "viridis"), np.uint8(60))


def draw(part: Part, axes: np.ndarray) -> None:
    """``axes``: (rows, tasks)."""
    originals = part.rows[0].images
    for number, row in enumerate(part.rows):
        for column, (name, original) in enumerate(originals.items()):
            axis = axes[number, column]
            pixels = displayable(name, row.images[name], original, part.window)
            axis.imshow(pixels, interpolation="nearest")
            axis.set_axis_off()
            psnr = f"  {measure(part.signals[name], row.images[name])['psnr']:.1f} dB" if number else ""
            axis.set_title(f"{name}{psnr}", fontsize=10, loc="right", color="#555555")
        axes[number, 0].text(0, 1.14, f"{ROWS[number]}: {row.size:,} bytes", fontsize=13, fontweight="bold",
                             transform=axes[number, 0].transAxes)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scene", nargs=5, action="append", required=True)
    arguments = parser.parse_args()
    parts = [coded(Path(directory), *map(int, numbers)) for directory, *numbers in arguments.scene]
    columns = sum(len(part.signals) for part in parts)
    figure, axes = plt.subplots(len(ROWS), columns, figsize=(2.35 * columns, 3 * 2.72), dpi=110)
    first = 0
    for part in parts:
        draw(part, axes[:, first : first + len(part.signals)])
        first += len(part.signals)
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.935, wspace=0.03, hspace=0.24)
    figure.savefig(arguments.output, pil_kwargs={"quality": 88})
    print(arguments.output, arguments.output.stat().st_size)


if __name__ == "__main__":
    main()
