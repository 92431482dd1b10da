"""Files that commands are given, as other programs would write them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from contract import pictures
from contract.case import Image, Scene


def content(name: str, image: Image | str | bytes) -> bytes:
    """Bytes of a file of that name."""
    if isinstance(image, str):
        return image.encode()
    if isinstance(image, bytes):
        return image
    own = np.ascontiguousarray(image)
    suffix = name.rpartition(".")[2]
    if suffix == "npy":
        buffer = io.BytesIO()
        np.save(buffer, own)
        return buffer.getvalue()
    if suffix in ("tif", "tiff"):
        return _tiff(own)
    if suffix in ("jpg", "jpeg"):
        return bytes(imagecodecs.jpeg8_encode(own, level=95))
    return bytes(imagecodecs.png_encode(own))


def _tiff(image: Image) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    colours = "rgb" if image.ndim == 3 else "minisblack"
    tifffile.imwrite(buffer, image, photometric=colours)
    return buffer.getvalue()


def put(root: Path, files: Mapping[str, Any]) -> Path:
    """Images, texts and bytes by path below ``root``."""
    for name, own in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".exr":
            _exr(path, own)
        elif path.suffix in (".hdf5", ".h5"):
            _hdf5(path, own)
        else:
            path.write_bytes(content(path.name, own))
    return root


def _exr(path: Path, channels: Mapping[str, Image]) -> None:
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, dict(channels)) as file:
        file.write(str(path))


def _hdf5(path: Path, image: Image) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("dataset", data=image, compression="gzip")


def small(height: int = 24, width: int = 32, seed: int = 0) -> Scene:
    """The usual four tasks as files mostly have them."""
    return {
        "rgb": pictures.colours(height, width, seed=seed),
        "depth": pictures.depth(height, width, holes=(0,), seed=seed + 50),
        "normal": pictures.normals(height, width),
        "semantic": pictures.labels(height, width, classes=7 + seed),
    }


def scene(root: Path, seed: int = 0, more: Mapping[str, Any] = {}) -> Path:
    """A directory of the usual four images, and more files."""
    return put(root, {**{f"{name}.png": image for name, image in small(seed=seed).items()}, **more})


def dataset(root: Path, count: int = 3) -> Path:
    """Directories of tasks, of which the last scene has no depth."""
    for k in range(count):
        own = {f"{task}/train/{k}.png": image for task, image in small(seed=k).items()}
        if k == count - 1:
            del own[f"depth/train/{k}.png"]
        put(root, own)
    return root
