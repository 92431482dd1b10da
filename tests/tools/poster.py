"""Draw the picture of the README: parts of scenes as they were, from mtcodec, and from AVIF of as many bytes.

    python tests/tools/poster.py OUTPUT.jpg --scene SCENE QUALITY X Y SIDE --scene ...

AVIF files of a scene, one an image, have the same setting: the best with which they take together no more
bytes than mtcodec's one file; or the lowest, where they always take more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np

import mtcodec
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.measure import image_codecs as classical
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL
from mtcodec.view import colours

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TASKS = "rgb", "depth", "normal"
ROWS = "original", "mtcodec", "AVIF"


def avif(made: dict[str, Signal], most: int) -> tuple[int, dict[str, Array]]:
    """Bytes of AVIF files of all tasks together, and what they decode to."""
    files: dict[str, bytes] = {}
    for quality in range(100, -1, -1):
        files = {name: classical.encode("avif", signal, quality) for name, signal in made.items()}
        if sum(map(len, files.values())) <= most:
            break
    return sum(map(len, files.values())), {n: classical.decode("avif", files[n], s) for n, s in made.items()}


def shown(name: str, image: Array, original: Array, window: tuple[slice, slice]) -> np.ndarray:
    """A part of an image in colours; depth in those of the part of the original."""
    if name != "depth":
        return image[window]
    valid = original[window] > 0
    low, high = np.percentile(original[window][valid], (1, 99))
    shares = np.clip((image[window].astype(np.float64) - low) / max(high - low, 1e-9), 0, 1)
    return np.where((image[window] > 0)[..., None], colours.apply_map(shares, "viridis"), np.uint8(60))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scene", nargs=5, action="append", required=True)
    arguments = parser.parse_args()
    scenes = []
    for directory, *numbers in arguments.scene:
        quality, x, y, side = map(int, numbers)
        (scene_files,) = find_scenes(Path(directory))
        own = read_scene(scene_files)
        images = {name: own[name] for name in TASKS if name in own}
        made = {name: Signal.from_image(USUAL[name], image) for name, image in images.items()}
        data = mtcodec.encode(images, quality=quality)
        files = scene_files.files
        before = sum(Path(files[name]).stat().st_size for name in images)
        size, others = avif(made, len(data))
        window = slice(y, y + side), slice(x, x + side)
        rows = [(before, images), (len(data), mtcodec.decode(data)), (size, others)]
        scenes.append((images, made, window, rows))
    columns = sum(len(images) for images, *_ in scenes)
    figure, axes = plt.subplots(3, columns, figsize=(2.35 * columns, 3 * 2.72), dpi=110)
    at = 0
    for images, made, window, rows in scenes:
        for k, name in enumerate(images):
            for row, (size, decoded) in enumerate(rows):
                axis = axes[row, at + k]
                axis.imshow(shown(name, decoded[name], images[name], window), interpolation="nearest")
                axis.set_axis_off()
                title = name
                if row:
                    title += f"  {measure(made[name], decoded[name])['psnr']:.1f} dB"
                axis.set_title(title, fontsize=10, loc="right", color="#555555")
                if k == 0:
                    axis.text(0, 1.14, f"{ROWS[row]}: {size:,} bytes", fontsize=13, fontweight="bold",
                              transform=axis.transAxes)  # fmt: skip
        at += len(images)
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.935, wspace=0.03, hspace=0.24)
    figure.savefig(arguments.output, pil_kwargs={"quality": 88})
    print(arguments.output, arguments.output.stat().st_size)


if __name__ == "__main__":
    main()
