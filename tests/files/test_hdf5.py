"""Images in HDF5 files: which array is read, and what is refused before anything is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from mtcodec.errors import DependencyError, SceneError
from mtcodec.files.images import read_with_alpha
from mtcodec.tasks import USUAL, Task

PLANE = np.arange(24, dtype=np.float32).reshape(4, 6)
Make = Callable[[h5py.File], object]


def write_hdf5(path: Path, make: Make) -> Path:
    with h5py.File(path, "w") as file:
        make(file)
    return path


def read_image(path: Path, task: Task | None = None) -> NDArray[np.generic]:
    return read_with_alpha(path, path.stem, task)[0]


@pytest.mark.parametrize("suffix", [".hdf5", ".h5", ".HDF5"])
@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "int16", "uint8"])
def test_the_array_of_a_file_is_its_image(dtype: str, suffix: str, tmp_path: Path) -> None:
    image = PLANE.astype(dtype)
    path = write_hdf5(
        tmp_path / f"x{suffix}", lambda f: f.create_dataset("group/any", data=image, compression="gzip")
    )
    back = read_image(path)
    assert back.dtype == np.dtype(dtype).newbyteorder("=") and np.array_equal(back, image)


def test_an_array_called_dataset_is_the_image_whatever_lies_beside_it(tmp_path: Path) -> None:
    def make(file: h5py.File) -> None:
        file["dataset"], file["position"] = PLANE, np.zeros(3)

    assert np.array_equal(read_image(write_hdf5(tmp_path / "depth.hdf5", make), USUAL["depth"]), PLANE)


def test_four_channels_are_no_alpha(tmp_path: Path) -> None:
    image = np.zeros((5, 6, 4), np.float16)
    path = write_hdf5(tmp_path / "x.hdf5", lambda f: f.create_dataset("dataset", data=image))
    assert read_image(path).shape == image.shape


def _external(file: h5py.File) -> None:
    outside = Path(file.filename).with_name("values.raw")
    outside.write_bytes(PLANE.tobytes())
    file.create_dataset("dataset", (4, 6), "f4", external=[(str(outside), 0, PLANE.nbytes)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 6), "f4")
    layout[:] = h5py.VirtualSource("other.hdf5", "dataset", (4, 6))
    file.create_virtual_dataset("dataset", layout)


def _link(target: object) -> Make:
    def make(file: h5py.File) -> None:
        file["kept"] = PLANE
        file["dataset"] = target

    return make


def _several(file: h5py.File) -> None:
    file["colors"], file["group/depth"] = np.ones((8, 9)), np.ones((8, 9))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_several, "it holds several images: colors, group/depth"),
        (lambda f: f.create_group("empty"), "it holds no arrays"),
        (_external, "its values lie in other files"),
        (_virtual, "its values lie in other files"),
        (_link(h5py.ExternalLink("other.hdf5", "/dataset")), "dataset is a link"),
        (_link(h5py.SoftLink("/kept")), "dataset is a link"),
        (lambda f: f.__setitem__("other", h5py.ExternalLink("a.hdf5", "/b")), "other is a link"),
        (lambda f: f.create_dataset("dataset", data=["text"]), "not an array of numbers"),
        (lambda f: f.create_dataset("dataset", data=np.zeros(3, [("x", "f4")])), "not an array of numbers"),
        (lambda f: f.create_dataset("dataset", data=np.zeros(2, complex)), "not an array of numbers"),
        (lambda f: f.create_dataset("dataset", data=1.0), "an array of shape ()"),
        (lambda f: f.create_dataset("dataset", data=h5py.Empty("f4")), "an array of shape None"),
        (lambda f: f.create_dataset("dataset", data=np.zeros((1, 2, 3, 4))), "shape (1, 2, 3, 4)"),
        (lambda f: f.create_dataset("dataset", (1 << 20, 1 << 20), "f4"), "pixels are more than"),
        (lambda f: f.create_dataset("dataset", (4, 6), "f8", maxshape=(None, None), chunks=(1 << 14, 1<<15)),
         "is too large"),
        (lambda f: [f.create_group(f"{n}") for n in range(1001)], "more than 1000"),
    ],
)  # fmt: skip
def test_refuses(make: Make, reason: str, tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "x.hdf5", make)
    with pytest.raises(SceneError) as caught:
        read_image(path)
    assert reason in str(caught.value) and str(caught.value).startswith(f"{path}: cannot read it: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 7, 100, 600])
def test_refuses_damaged_files(keep: int, tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "x.hdf5", lambda f: f.create_dataset("dataset", data=PLANE))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SceneError, match="cannot read it"):
        read_image(path)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_hdf5(tmp_path / "x.hdf5", lambda f: f.create_dataset("dataset", data=PLANE))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DependencyError) as caught:
        read_image(path)
    assert str(caught.value) == f"{path}: an HDF5 file needs h5py: pip install 'mtcodec[hdf5]'"
