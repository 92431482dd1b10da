"""One image: every format and dtype there and back, what is noted, what is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import OpenEXR
import PIL.Image
import pytest
import tifffile
from numpy.typing import NDArray

from mtcodec.errors import SceneError
from mtcodec.files.images import read_with_alpha, suffix_for, write_image
from mtcodec.tasks import DTYPES, USUAL, Task, declare

Image = NDArray[Any]
RGB, DEPTH, SEMANTIC = (USUAL[name] for name in ("rgb", "depth", "semantic"))
ALBEDO = declare("albedo", "image")
HEIGHT, WIDTH = 5, 7


def picture(channels: int, dtype: str) -> Image:
    """Values over the whole range of an integer dtype, or floats of both signs."""
    shape = (HEIGHT, WIDTH, channels)[: 3 if channels > 1 else 2]
    rng = np.random.default_rng(1)
    if dtype == "bool":
        return rng.integers(0, 2, shape) > 0
    if dtype.startswith("float"):
        return rng.normal(0, 100, shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def write(path: Path, image: Image) -> None:
    """Write an image file as another program would."""
    image = np.ascontiguousarray(image) if np.ndim(image) else image
    channels = 1 if image.ndim < 3 else image.shape[2]
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(image))
    elif path.suffix == ".npy":
        np.save(path, image, allow_pickle=True)
    elif path.suffix == ".exr":
        channel = [image] if image.ndim == 2 else [image[..., k].copy() for k in range(channels)]
        write_exr(path, dict(zip({1: "Z", 2: "YA", 3: "RGB", 4: "RGBA"}[channels], channel)))
    elif path.suffix.startswith(".tif"):
        colours, planes = ("rgb" if channels > 2 else "minisblack"), ("contig" if channels > 1 else None)
        tifffile.imwrite(path, image, photometric=colours, planarconfig=planes)
    else:
        PIL.Image.fromarray(image).save(path)


def write_exr(path: Path, channels: dict[str, Image]) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))


def refused(path: Path, call: Callable[[], object], reason: str) -> None:
    """``call`` fails with one line that begins with ``path`` and holds ``reason``."""
    with pytest.raises(SceneError) as caught:
        call()
    message = str(caught.value)
    assert caught.value.path == path and message.startswith(f"{path}: ")
    assert reason in message and "\n" not in message


def noted(path: Path, task: Task | None) -> tuple[Image, list[str]]:
    """The image without its alpha, and the notes about it."""
    lines: list[str] = []
    name = task.name if task else path.stem
    return read_with_alpha(path, name, task, lines.append)[0], lines


def read_image(path: Path, task: Task | None = None) -> Image:
    return noted(path, task)[0]


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "task", "dtype"),
    [
        ("rgb.png", RGB, "uint8"),
        ("rgb.png", RGB, "uint16"),
        ("RGB.PNG", RGB, "uint8"),
        ("depth.png", DEPTH, "uint8"),
        ("depth.png", DEPTH, "uint16"),
        ("depth.tif", DEPTH, "uint8"),
        ("depth.tif", DEPTH, "uint16"),
        ("depth.tiff", DEPTH, "float32"),
        ("depth.tiff", DEPTH, "float64"),
        ("rgb.tif", RGB, "uint8"),
        ("rgb.tif", RGB, "uint16"),
        ("albedo.tif", ALBEDO, "float32"),
        ("depth.exr", DEPTH, "float32"),
        ("albedo.exr", ALBEDO, "float32"),
        ("depth.npy", DEPTH, "uint8"),
        ("depth.npy", DEPTH, "float64"),
        ("rgb.npy", RGB, "uint16"),
        ("depth.npy", DEPTH, ">u2"),
        ("depth.npy", DEPTH, ">f4"),
    ],
)
def test_images_are_read_exactly(name: str, task: Task, dtype: str, tmp_path: Path) -> None:
    native = np.dtype(dtype).newbyteorder("=")
    image = picture(task.channels, native.name)
    path = tmp_path / name
    path = path.with_suffix(path.suffix.lower())
    write(path, image.astype(dtype))
    path = path.rename(tmp_path / name)
    back = read_image(path, task)
    assert back.dtype == native and back.dtype.isnative and back.flags.c_contiguous
    assert np.array_equal(back, image)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpegs_are_read(suffix: str, tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    for task, image in ((RGB, np.stack([ramp] * 3, axis=-1)), (DEPTH, ramp)):
        path = tmp_path / (task.name + suffix)
        write(path, image)
        back = read_image(path, task)
        assert (back.shape, back.dtype) == (image.shape, np.uint8)
        assert np.abs(back.astype(int) - image).max() < 8


def test_one_plane_stored_as_three_equal_ones_is_one_channel(tmp_path: Path) -> None:
    image = picture(1, "uint16")
    path = tmp_path / "depth.png"
    write(path, np.stack([image] * 3, axis=-1))
    assert np.array_equal(read_image(path, DEPTH), image)
    np.save(path.with_suffix(".npy"), image[..., None])
    assert np.array_equal(read_image(path.with_suffix(".npy"), DEPTH), image)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_class_ids_of_a_palette_are_its_indexes_and_colours_its_colours(bits: int, tmp_path: Path) -> None:
    ids = picture(1, "uint8") >> (8 - bits)
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), "uint8")
    for palette in (colours, np.stack([np.arange(256, dtype="uint8")[::-1]] * 3, axis=-1)):
        file = PIL.Image.fromarray(ids)
        file.putpalette(palette[: 1 << bits].tobytes())
        file.save(tmp_path / "any.png", bits=bits)
        for task in (SEMANTIC, None):
            back, lines = noted(tmp_path / "any.png", task)
            name = task.name if task else "any"
            assert np.array_equal(back, ids)
            assert lines == [f"{name}: the indexes of its palette are kept, not the colours"]
        assert np.array_equal(read_image(tmp_path / "any.png", RGB), palette[ids])


# --- alpha ---------------------------------------------------------------------------------------

ALPHAS = [("rgb.png", "uint8"), ("rgb.png", "uint16"), ("rgb.tif", "uint8"), ("rgb.exr", "float16")]


@pytest.mark.parametrize(("name", "dtype"), ALPHAS)
@pytest.mark.parametrize("channels", [2, 4])
def test_opaque_alpha_is_dropped_with_a_note(name: str, dtype: str, channels: int, tmp_path: Path) -> None:
    image = picture(4, dtype)[..., 4 - channels :]
    image[..., -1] = 1 if dtype == "float16" else np.iinfo(dtype).max
    path = tmp_path / name
    write(path, image)
    for task in (RGB, None):
        back, lines = noted(path, task)
        assert np.array_equal(back, image[..., 0] if channels == 2 else image[..., :3])
        assert lines == ["rgb: its alpha says that all is opaque, and is dropped"]


@pytest.mark.parametrize(("name", "dtype"), ALPHAS)
@pytest.mark.parametrize("channels", [2, 4])
def test_other_alpha_is_given_apart(name: str, dtype: str, channels: int, tmp_path: Path) -> None:
    image = picture(4, dtype)[..., 4 - channels :]
    path = tmp_path / name
    write(path, image)
    for task in (RGB, None):
        lines: list[str] = []
        back, alpha = read_with_alpha(path, "rgb", task, lines.append)
        assert np.array_equal(back, image[..., 0] if channels == 2 else image[..., :3])
        assert alpha is not None and np.array_equal(alpha, image[..., -1]) and alpha.flags.c_contiguous
        assert not lines


def test_declared_channels_and_those_of_arrays_are_no_alpha(tmp_path: Path) -> None:
    image = picture(4, "uint8")
    write(tmp_path / "four.png", image)
    write(tmp_path / "four.npy", image)
    four = declare("four", "image", 4)
    for path, task in (("four.png", four), ("four.npy", four), ("four.npy", None)):
        back, lines = noted(tmp_path / path, task)
        assert np.array_equal(back, image) and not lines
    assert read_image(tmp_path / "four.npy", RGB).shape[2] == 3


# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rgb.png", "rgb.jpg", "rgb.tif"])
def test_grey_colours_stay_one_channel(name: str, tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    write(tmp_path / name, ramp)
    back, lines = noted(tmp_path / name, RGB)
    assert back.shape == ramp.shape and np.abs(back.astype(int) - ramp).max() < 8 and not lines


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("task", [SEMANTIC, DEPTH, None])
def test_arrays_of_every_dtype_are_kept(task: Task | None, dtype: str, tmp_path: Path) -> None:
    for channels in (1, 3):
        image = picture(channels, dtype)
        path = tmp_path / f"any{channels}.npy"
        write(path, image)
        back, lines = noted(path, task)
        assert back.dtype == image.dtype and np.array_equal(back, image) and not lines


def test_negative_labels_are_kept(tmp_path: Path) -> None:
    labels = np.arange(-9, 26, dtype=np.int16).reshape(HEIGHT, WIDTH)
    write(tmp_path / "semantic.npy", labels)
    write(tmp_path / "semantic.tif", labels)
    assert all(
        np.array_equal(read_image(tmp_path / f"semantic.{s}", SEMANTIC), labels) for s in ("npy", "tif")
    )


@pytest.mark.parametrize("dtype", ["float16", "int32", "int16", "uint32", "float64"])
def test_depth_of_many_dtypes_is_kept(dtype: str, tmp_path: Path) -> None:
    for name in ("depth.npy", "depth.tif", "depth.exr"):
        if name.endswith(".exr") and dtype not in ("float16", "uint32"):
            continue
        image = picture(1, dtype)
        write(tmp_path / name, image)
        back, lines = noted(tmp_path / name, DEPTH)
        assert back.dtype == image.dtype and np.array_equal(back, image) and not lines


def test_labels_coded_as_colours_are_kept(tmp_path: Path) -> None:
    colours = picture(3, "uint8")
    write(tmp_path / "semantic.png", colours)
    assert np.array_equal(read_image(tmp_path / "semantic.png", SEMANTIC), colours)


def test_three_equal_channels_are_one_only_where_one_is_declared(tmp_path: Path) -> None:
    image = np.stack([picture(1, "uint8")] * 3, axis=-1)
    write(tmp_path / "any.png", image)
    assert np.array_equal(read_image(tmp_path / "any.png", SEMANTIC), image[..., 0])
    for task in (None, RGB, declare("any", "categories", 3)):
        assert np.array_equal(read_image(tmp_path / "any.png", task), image)


def grey_png(values: Image, bits: int) -> bytes:
    """A PNG of one channel with 1, 2 or 4 bits; rows must fill whole bytes."""
    rows = (np.unpackbits(row[:, None].astype(np.uint8), axis=1)[:, 8 - bits :] for row in values)
    packed = b"".join(b"\0" + np.packbits(row.ravel()).tobytes() for row in rows)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(packed)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_pngs_of_few_bits_are_numbers_or_grey_levels(bits: int, tmp_path: Path) -> None:
    values = (np.arange(48).reshape(3, 16) * 7 % (1 << bits)).astype(np.uint8)
    path = tmp_path / "any.png"
    path.write_bytes(grey_png(values, bits))
    for task in (SEMANTIC, None):
        assert np.array_equal(read_image(path, task), values)
    assert np.array_equal(read_image(path, RGB), values * (255 // ((1 << bits) - 1)))


# --- JPEG ----------------------------------------------------------------------------------------


def test_other_colours_of_jpegs_are_converted_with_a_note(tmp_path: Path) -> None:
    PIL.Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "rgb.jpg")
    back, lines = noted(tmp_path / "rgb.jpg", RGB)
    assert back.shape == (16, 16, 3) and back[8, 8, 0] > 200 > 100 > back[8, 8, 1]
    assert lines == ["rgb: its CMYK colours are converted to RGB"]


def test_labels_in_jpegs_are_warned_of(tmp_path: Path) -> None:
    labels = np.kron(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20, np.ones((16, 16), np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, labels.shape, np.uint8)
    write(tmp_path / "labels.jpg", labels)
    write(tmp_path / "noise.jpg", noise)
    warning = "a JPEG file, which changes labels where they meet; PNG keeps them"
    assert noted(tmp_path / "labels.jpg", SEMANTIC)[1] == [f"semantic: {warning}"]
    assert noted(tmp_path / "noise.jpg", SEMANTIC)[1] == [f"semantic: {warning}"]
    assert noted(tmp_path / "labels.jpg", None)[1] == [f"labels: {warning}"]
    assert noted(tmp_path / "noise.jpg", None)[1] == noted(tmp_path / "labels.jpg", RGB)[1] == []


# --- TIFF and EXR --------------------------------------------------------------------------------


def test_planes_and_pages_of_tiffs(tmp_path: Path) -> None:
    image, path = picture(3, "uint8"), tmp_path / "rgb.tif"
    tifffile.imwrite(path, np.moveaxis(image, -1, 0), photometric="rgb", planarconfig="separate")
    assert np.array_equal(read_image(path, RGB), image)
    with tifffile.TiffWriter(path) as file:
        file.write(image, photometric="rgb")
        file.write(picture(1, "uint16"), photometric="minisblack")
    back, lines = noted(path, RGB)
    assert np.array_equal(back, image) and lines == ["rgb: only the first of its 2 images is read"]
    tifffile.imwrite(path, np.zeros((3, 40, 50), np.uint8), photometric="minisblack")
    assert noted(path, RGB)[1] == ["rgb: only the first of its 3 images is read"]


def test_exr_channels_are_read_whatever_their_layout(tmp_path: Path) -> None:
    image = picture(3, "float32")
    path = tmp_path / "albedo.exr"
    for names in ("RGB", "XYZ"):
        write_exr(path, {c: image[..., i].copy() for i, c in enumerate(names)})
        assert np.array_equal(read_image(path, ALBEDO), image)
    half = image.astype(np.float16)
    write_exr(path, {"RGB": half})
    back = read_image(path, ALBEDO)
    assert back.dtype == np.float16 and np.array_equal(back, half)
    write_exr(path, {"R": half[..., 0].copy(), "G": image[..., 1].copy(), "B": half[..., 2].copy()})
    back = read_image(path, ALBEDO)
    assert back.dtype == np.float32 and np.array_equal(back[..., ::2], half[..., ::2])
    assert np.array_equal(back[..., 1], image[..., 1])
    for name in "RYVZ":
        write_exr(path, {name: image[..., 0].copy()})
        assert np.array_equal(read_image(path, DEPTH), image[..., 0])


def test_several_parts_of_an_exr_are_noted(tmp_path: Path) -> None:
    path, planes = tmp_path / "depth.exr", [picture(1, "float32") + k for k in range(2)]
    parts = [
        OpenEXR.Part(
            {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {"Z": p}, str(k)
        )
        for k, p in enumerate(planes)
    ]
    with OpenEXR.File(parts) as file:
        file.write(str(path))
    back, lines = noted(path, DEPTH)
    assert np.array_equal(back, planes[0]) and lines == ["depth: only the first of its 2 parts is read"]


# --- refusals ------------------------------------------------------------------------------------

REFUSED_IMAGES = {
    "strings": (np.array([["a", "b"]]), "values of type <U1"),
    "complex": (np.ones((4, 4), np.complex64), "values of type complex64"),
    "no pixels": (np.zeros((0, 5), np.uint8), "an image of 5×0 pixels"),
    "a number": (np.uint8(3), "not an image: an array of shape ()"),
    "a video": (np.zeros((2, 4, 4, 3), np.uint8), "not an image: an array of shape (2, 4, 4, 3)"),
    "spectra": (np.zeros((20, 20, 17), np.uint8), "17 channels are more than 16"),
    "pickled": (np.array([{}]), "cannot read it: it holds Python objects, not numbers"),
}


@pytest.mark.parametrize(("image", "reason"), REFUSED_IMAGES.values(), ids=REFUSED_IMAGES)
@pytest.mark.parametrize("task", [DEPTH, None])
def test_refuses_images(task: Task | None, image: Image, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "depth.npy"
    write(path, image)
    refused(path, lambda: read_image(path, task), reason)


@pytest.mark.parametrize("name", ["rgb.png", "rgb.jpg", "rgb.tif", "albedo.exr", "rgb.npy"])
@pytest.mark.parametrize("keep", [0.0, 0.002, 0.5, 0.9])
def test_refuses_truncated_files(name: str, keep: float, tmp_path: Path) -> None:
    path = tmp_path / name
    rng = np.random.default_rng(0)
    write(path, rng.integers(0, 256, (64, 64, 3)).astype("float32" if name.endswith("exr") else "uint8"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    refused(path, lambda: read_image(path, ALBEDO), "cannot read it: ")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".exr", ".npy"])
def test_refuses_what_is_no_image(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / ("rgb" + suffix)
    path.write_bytes(b"GIF87a no image at all\n" * 9)
    refused(path, lambda: read_image(path, RGB), "cannot read it: ")
    path.unlink()
    path.mkdir()
    refused(path, lambda: read_image(path, RGB), "cannot read it: ")
    path.rmdir()
    path.symlink_to("nowhere")
    refused(path, lambda: read_image(path, RGB), "cannot read it: ")


def test_refuses_an_archive_of_arrays_and_exr_channels_of_no_meaning(tmp_path: Path) -> None:
    path = tmp_path / "depth.npy"
    with path.open("wb") as file:
        np.savez(file, depth=picture(1, "uint8"))
    refused(path, lambda: read_image(path, DEPTH), "it is no array, or cut off")
    path = tmp_path / "depth.exr"
    plane = picture(1, "float32")
    for names in ("UV", "RGBZ"):
        write_exr(path, dict.fromkeys(names, plane))
        refused(path, lambda: read_image(path, DEPTH), f"channels {', '.join(sorted(names))}; one image has")


def test_refuses_files_that_declare_more_than_an_image_has(tmp_path: Path) -> None:
    path = tmp_path / "rgb.png"
    write(path, picture(3, "uint8"))
    data = bytearray(path.read_bytes())
    data[16:24] = b"\x7f\xff\xff\xff" * 2
    path.write_bytes(data)
    refused(path, lambda: read_image(path, RGB), "pixels are more than the 268,435,456")
    path = tmp_path / "depth.npy"
    np.save(path, picture(1, "float32"))
    data = bytearray(path.read_bytes().replace(b"(5, 7)", b"(5,79)"))
    path.write_bytes(data)
    refused(path, lambda: read_image(path, DEPTH), "not as many numbers as it declares")


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_written_images_are_read_back_exactly(dtype: str, channels: int, tmp_path: Path) -> None:
    image = picture(channels, dtype)
    path = tmp_path / ("any" + suffix_for(image))
    assert path.suffix == (".png" if dtype in ("uint8", "uint16") and channels < 5 else ".npy")
    write_image(path, image)
    back = read_image(path, Task("any", "image", channels, DTYPES))
    assert back.dtype == image.dtype and np.array_equal(back, image)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_parts_of_images_are_written(tmp_path: Path) -> None:
    image = picture(3, "uint16")
    for k, part in enumerate((image[:, ::2], image[..., 1], image.transpose(1, 0, 2))):
        write_image(tmp_path / f"{k}.png", part)
        assert np.array_equal(read_image(tmp_path / f"{k}.png"), part)
