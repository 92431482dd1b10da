"""Images of every small size, kind and dtype go through the commands, and of sides that PNG cannot have."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from shared.commands import Run, files, image, png

import mtcodec
from mtcodec.tasks.kinds import KINDS, Kind

SIDES = range(1, 18)
QUICK = ("--coding", "classical", "--effort", "fast", "-q")
WIDE = 1_000_001  # pixels: one more than libpng writes


def random_image(rng: np.random.Generator, kind: Kind, dtype: str, size: tuple[int, int]) -> np.ndarray:
    """An image of plausible values, some of them the smallest and largest; ``data`` has 1 to 5 channels."""
    channels = int(rng.integers(1, 6)) if kind.name == "data" else kind.channels
    shape = size if channels == 1 else (*size, channels)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if kind.unit_vectors:
        vectors = rng.normal(size=shape)
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        if np.dtype(dtype).kind == "f":
            return vectors.astype(dtype)
        return np.rint((vectors + 1) / 2 * np.iinfo(dtype).max).astype(dtype)
    if np.dtype(dtype).kind == "f":
        return (rng.random(shape) * 7 + 0.5).astype(dtype)
    limits = np.iinfo(dtype)
    lowest = 0 if kind.name == "depth" else limits.min
    return rng.integers(lowest, limits.max, shape, dtype=dtype, endpoint=True)


def save(directory: Path, name: str, pixels: np.ndarray) -> None:
    """Write a PNG file where PNG holds such pixels, else ``.npy``."""
    directory.mkdir(parents=True, exist_ok=True)
    if pixels.dtype.name in ("uint8", "uint16") and pixels.shape[2:] in ((), (3,)):
        (directory / f"{name}.png").write_bytes(png(pixels.copy(order="C")))
    else:
        np.save(directory / f"{name}.npy", pixels)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """A scene of each size with a task of each kind, whose dtypes take turns; and the images by path."""
    rng, root, images = np.random.default_rng(5), tmp_path_factory.mktemp("sizes"), {}
    for number, size in enumerate(product(SIDES, SIDES)):
        key = f"{size[0]}x{size[1]}"
        for kind in KINDS.values():
            dtype = kind.dtypes[number % len(kind.dtypes)]
            name = f"{kind.name}_{dtype}"
            images[f"{key}/{name}"] = random_image(rng, kind, dtype, size)
            save(root / key, name, images[f"{key}/{name}"])
    return root, images


@pytest.mark.slow
def test_every_size_kind_and_dtype_comes_back(
    scenes: tuple[Path, dict[str, np.ndarray]], tmp_path: Path, run: Run
) -> None:
    root, images = scenes
    kinds = [kind for kind in KINDS.values() if kind.name != "data"]  # of which nothing is declared
    names = [f"{kind.name}_{dtype}:{kind.name}" for kind in kinds for dtype in kind.dtypes]
    declarations = [word for name in names for word in ("--task", name)]
    done = run("encode", root, "-o", tmp_path / "in", *QUICK, *declarations)
    assert done.code == 0, done
    done = run("decode", tmp_path / "in", "-o", tmp_path / "out", "-q", "-j", 1)
    assert (done.code, done.out) == (0, b""), done
    decoded = {
        str(Path(name).with_suffix("")): image(tmp_path / "out" / name) for name in files(tmp_path / "out")
    }
    assert sorted(decoded) == sorted(images)
    for name, pixels in images.items():
        assert (decoded[name].shape, decoded[name].dtype) == (pixels.shape, pixels.dtype), name
        if name.split("/")[1].startswith(("categories", "data")):
            assert np.array_equal(decoded[name], pixels), name


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 1, 3), (1, 5, 3), (1, 1, 4), (3, 1, 2), (1, 1), (4, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_views_of_one_pixel_are_written(shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    from mtcodec.files.images import write_image

    pixels = np.arange(np.prod(shape)).reshape(shape[::-1]).T.astype(dtype, order="K")
    whole = np.zeros((shape[0], 7, *shape[2:]), dtype)
    whole[:, : shape[1]] = pixels
    for number, view in enumerate((pixels, np.ascontiguousarray(pixels), whole[:, : shape[1]])):
        write_image(tmp_path / f"{number}.png", view)
        assert np.array_equal(image(tmp_path / f"{number}.png"), view)


@pytest.mark.parametrize(
    "shape", [(1, WIDE), (WIDE, 1), (1, WIDE, 3), (WIDE, 1, 3), (2, 1_000_000)], ids=lambda shape: str(shape)
)
def test_images_wider_than_png_holds_become_npy(shape: tuple[int, ...], tmp_path: Path, run: Run) -> None:
    pixels = np.zeros(shape, np.uint8)
    pixels[-1, -1] = 200
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mtc").write_bytes(mtcodec.encode({"values": pixels}, layout="hwc"))
    (tmp_path / "in" / "b.mtc").write_bytes(mtcodec.encode({"values": pixels[:1, :1]}, layout="hwc"))
    done = run("decode", tmp_path / "in", "-o", tmp_path / "out", "-q")
    assert (done.code, done.err) == (0, "")
    suffix = ".npy" if max(shape) == WIDE else ".png"
    assert files(tmp_path / "out") == [f"a/values{suffix}", "b/values.png"]
    assert np.array_equal(image(tmp_path / "out" / "a" / f"values{suffix}"), pixels)


def test_an_image_that_its_library_refuses_does_not_end_a_batch(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mtcodec.files.images as written

    monkeypatch.setattr(written, "MAX_PNG_SIDE", 2 * WIDE)
    for name, width in (("a", WIDE), ("b", 4)):
        (tmp_path / f"{name}.mtc").write_bytes(mtcodec.encode({"values": np.zeros((1, width), np.uint8)}))
    done = run("decode", tmp_path, "-o", tmp_path / "out", "--skip-errors", "-q")
    assert done.code == 3 and f"skipped: {tmp_path / 'out' / 'a' / 'values.png'}: cannot write it" in done.err
    assert files(tmp_path / "out") == ["b/values.png"]
