"""Draw a scene's originals beside their reconstructions: compare.py SCENE_DIR DECODED_DIR OUTPUT.png"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from mtcodec.files.images import read_with_alpha, write_image

GAP = 8  # white pixels between pictures


def displayable(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """8-bit RGB; single channels are stretched from [low, high] to the full range."""
    if image.ndim == 3:
        return image[..., :3].astype(np.uint8)
    grey = np.clip((image - low) / max(high - low, 1), 0, 1) * 255
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def main(scene: Path, decoded: Path, output: Path) -> None:
    columns = []
    for path in sorted(decoded.glob("*.png")):
        paths = scene / path.name, path
        original, reconstruction = (read_with_alpha(image, path.stem)[0] for image in paths)
        low, high = float(original.min()), float(original.max())
        above, below = displayable(original, low, high), displayable(reconstruction, low, high)
        gap = np.full((GAP, above.shape[1], 3), 255, np.uint8)
        column = np.concatenate([above, gap, below])
        columns += [column, np.full((column.shape[0], GAP, 3), 255, np.uint8)]
    write_image(output, np.concatenate(columns[:-1], axis=1))
    print(f"{output}: originals above, reconstructions below")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
