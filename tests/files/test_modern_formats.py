"""AVIF, JPEG XL and JPEG 2000: the least and greatest values of every depth of bits, alpha, turns, frames."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of
from mtcodec.files.images import read_with_alpha
from mtcodec.tasks import USUAL

RGB, DEPTH, SEMANTIC = (USUAL[name] for name in ("rgb", "depth", "semantic"))
NOISE = np.random.default_rng(0).integers(0, 256, (9, 13, 4), np.uint8)


def values_of(bits: int, channels: int, dtype: str = "") -> Any:
    """Noise of so many bits, with the least and the greatest value in every channel."""
    values = np.random.default_rng(bits).integers(0, 1 << bits, (9, 13, channels))
    values[0, 0], values[-1, -1] = 0, (1 << bits) - 1
    if dtype.startswith("int"):
        values -= 1 << (bits - 1)
    return values.astype(dtype or ("uint8" if bits <= 8 else "uint16")).squeeze()


def read(path: Path, task: Any = None) -> tuple[Any, list[str]]:
    """All channels of the image, whose header must tell the same, and the notes."""
    lines: list[str] = []
    image, alpha = read_with_alpha(path, "x", task, lines.append)
    image = image if alpha is None else np.dstack([image, alpha])
    channels = image.shape[2] if image.ndim == 3 else 1
    if not any("opaque" in line or "indexes" in line for line in lines):
        assert shape_of(path) == (*image.shape[:2], channels, image.dtype.name)
    return image, lines


def check_exact(path: Path, data: bytes, values: Any, bits: int) -> None:
    path.write_bytes(data)
    image, lines = read(path, RGB)
    assert image.dtype == values.dtype and np.array_equal(image, values)
    told = f"x: its values have {bits} bits, 0 to {(1 << bits) - 1}, and stay as they are in {values.dtype}"
    full = bits == 8 * values.itemsize or values.dtype.kind != "u"
    assert lines == ([] if full else [told])


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_avif_is_exact(bits: int, channels: int, tmp_path: Path) -> None:
    values = values_of(bits, channels)
    data = imagecodecs.avif_encode(values, level=100, bitspersample=bits)
    check_exact(tmp_path / "x.avif", bytes(data), values, bits)


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_jpeg_xl_is_exact(bits: int, channels: int, tmp_path: Path) -> None:
    values = values_of(bits, channels)
    data = imagecodecs.jpegxl_encode(values, lossless=True, bitspersample=bits)
    check_exact(tmp_path / "x.jxl", bytes(data), values, bits)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_of_jpeg_xl_are_exact(dtype: str, channels: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 9, (9, 13, channels)).astype(dtype).squeeze()
    values[0, 0], values[0, 1] = np.finfo(dtype).max, np.finfo(dtype).min
    data = imagecodecs.jpegxl_encode(values, lossless=True)
    check_exact(tmp_path / "x.jxl", bytes(data), values, 0)


@pytest.mark.parametrize("codec", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", range(1, 26))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_2000_is_exact(codec: str, bits: int, channels: int, tmp_path: Path) -> None:
    values = values_of(bits, channels, "uint8" if bits <= 8 else "uint16" if bits <= 16 else "uint32")
    data = imagecodecs.jpeg2k_encode(values, level=0, codecformat=codec, bitspersample=bits, reversible=True)
    check_exact(tmp_path / f"x.{codec}", bytes(data), values, bits)


@pytest.mark.parametrize("bits", [8, 16])
def test_signed_values_of_jpeg_2000_are_exact(bits: int, tmp_path: Path) -> None:
    values = values_of(bits, 1, f"int{bits}")
    data = imagecodecs.jpeg2k_encode(values, level=0, codecformat="jp2", reversible=True)
    check_exact(tmp_path / "x.jp2", bytes(data), values, bits)


def test_more_bits_of_jpeg_2000_than_are_read_exactly_are_refused(tmp_path: Path) -> None:
    data = imagecodecs.jpeg2k_encode(values_of(26, 1, "uint32"), level=0, bitspersample=26, reversible=True)
    (tmp_path / "x.jp2").write_bytes(data)
    with pytest.raises(SceneError, match="its values have 26 bits; up to 25 are read exactly"):
        read(tmp_path / "x.jp2")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_palettes_of_jpeg_2000_are_colours_and_their_indexes_labels(tmp_path: Path) -> None:
    ids, palette = NOISE[..., 0] % 4, NOISE[0, :4, :3]
    data = bytes(imagecodecs.jpeg2k_encode(ids, level=0, codecformat="jp2", reversible=True))
    at = data.index(b"jp2h") - 4
    end = at + int.from_bytes(data[at : at + 4], "big")
    colors = box(b"pclr", struct.pack(">HB3B", 4, 3, 7, 7, 7) + palette.tobytes())
    colors += box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, k) for k in range(3)))
    header = data[at + 8 : end].replace(b"\0\0\0\x11", b"\0\0\0\x10")  # sRGB, not grey
    (tmp_path / "x.jp2").write_bytes(data[:at] + box(b"jp2h", header + colors) + data[end:])
    assert np.array_equal(read(tmp_path / "x.jp2", RGB)[0], palette[ids])
    labels, lines = read(tmp_path / "x.jp2", SEMANTIC)
    assert np.array_equal(labels, ids) and lines == [
        "x: the indexes of its palette are kept, not the colours"
    ]


def test_colours_of_jpeg_2000_that_are_not_known_are_refused(tmp_path: Path) -> None:
    data = bytes(imagecodecs.jpeg2k_encode(NOISE[..., :3], level=0, codecformat="jp2"))
    at = data.index(b"colr") + 7
    (tmp_path / "x.jp2").write_bytes(data[:at] + struct.pack(">I", 18) + data[at + 4 :])
    with pytest.raises(SceneError, match=r"its colours are of space 18; known are sRGB \(16\)"):
        read(tmp_path / "x.jp2")


def test_of_frames_the_first_is_read_with_a_line(tmp_path: Path) -> None:
    frames = np.stack([NOISE[..., :3], 255 - NOISE[..., :3]])
    (tmp_path / "x.jxl").write_bytes(imagecodecs.jpegxl_encode(frames, lossless=True))
    image, lines = read(tmp_path / "x.jxl", RGB)
    assert np.array_equal(image, frames[0]) and lines == ["x: only the first of its frames is read"]
    first, second = map(PIL.Image.fromarray, frames)
    first.save(tmp_path / "x.avif", save_all=True, append_images=[second], quality=100, subsampling="4:4:4")
    image, lines = read(tmp_path / "x.avif", RGB)
    assert np.abs(image.astype(int) - frames[0]).max() < 9
    assert lines == ["x: only the first of its 2 frames is read"]


def test_lossy_labels_are_warned_of(tmp_path: Path) -> None:
    colors = NOISE[..., :3]
    files = {
        "a.jxl": imagecodecs.jpegxl_encode(colors, distance=1),
        "b.jxl": imagecodecs.jpegxl_encode(colors, lossless=True),
        "a.jp2": imagecodecs.jpeg2k_encode(colors, level=40, reversible=False),
        "b.jp2": imagecodecs.jpeg2k_encode(colors, level=0, reversible=True),
        "a.avif": imagecodecs.avif_encode(colors, level=80),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert any("changes labels" in line for line in read(tmp_path / name, SEMANTIC)[1]) == (
            name[0] == "a"
        )


@pytest.mark.parametrize("suffix", ["jxl", "jp2", "avif"])
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.1, 0.5, 0.97])
def test_what_is_cut_off_is_told_in_our_words(suffix: str, keep: float, tmp_path: Path, capfd: Any) -> None:
    encode = {
        "jxl": imagecodecs.jpegxl_encode,
        "jp2": imagecodecs.jpeg2k_encode,
        "avif": imagecodecs.avif_encode,
    }
    data = bytes(encode[suffix](np.tile(NOISE, (9, 9, 1))))
    (tmp_path / f"x.{suffix}").write_bytes(data[: int(keep * len(data))])
    with pytest.raises(
        SceneError, match=r"cannot read it: it(s header)? is (damaged|no .*, or cut off|empty)"
    ):
        read(tmp_path / f"x.{suffix}", RGB)
    assert capfd.readouterr() == ("", "")


def jxl_of_size(width: int, height: int) -> bytes:
    """The beginning of a code stream with sides of 30 bits."""
    header = 3 << 1 | (height - 1) << 3 | 3 << 36 | (width - 1) << 38
    return b"\xff\x0a" + header.to_bytes(64, "little")


@pytest.mark.parametrize("name", ["x.avif", "x.jxl", "x.jp2"])
def test_all_formats_have_one_limit_which_is_ours(name: str, tmp_path: Path, capfd: Any) -> None:
    width, height = 1 << 15, (1 << 13) + 1
    if name == "x.avif":
        data = bytes(imagecodecs.avif_encode(NOISE))
        at = data.index(b"ispe") + 8
        data = data[:at] + struct.pack(">II", width, height) + data[at + 8 :]
    elif name == "x.jp2":
        data = bytes(imagecodecs.jpeg2k_encode(NOISE))
        at = data.index(b"\xff\x4f\xff\x51") + 8
        data = data[:at] + struct.pack(">II", width, height) + data[at + 8 :]
    else:
        data = jxl_of_size(width, height)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SceneError, match="32768×8193 pixels are more than the 268,435,456"):
        read(tmp_path / name)
    assert capfd.readouterr() == ("", "")
