"""PNM, PFM, WebP, BMP, GIF: the least and greatest values of every depth of bits, palettes, alpha, frames."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of
from mtcodec.files.images import read_with_alpha
from mtcodec.tasks import USUAL

RGB, DEPTH, SEMANTIC = (USUAL[name] for name in ("rgb", "depth", "semantic"))
NOISE = np.random.default_rng(0).integers(0, 256, (9, 13, 4), np.uint8)


def read(path: Path, task: Any = None) -> tuple[Any, Any, list[str]]:
    """The image, whose header must tell the same unless indexes are read; its alpha; the notes."""
    lines: list[str] = []
    image, alpha = read_with_alpha(path, "x", task, lines.append)
    if not any("indexes" in line or "opaque" in line for line in lines):
        channels = (image.shape[2] if image.ndim == 3 else 1) + (alpha is not None)
        assert shape_of(path) == (*image.shape[:2], channels, image.dtype.name)
    return image, alpha, lines


# --- PNM -----------------------------------------------------------------------------------------


def values_to(maxval: int, channels: int) -> Any:
    """From 0 to ``maxval``, both of which occur."""
    values = np.random.default_rng(maxval).integers(0, maxval, (5, 7, channels), endpoint=True)
    values[0, 0], values[-1, -1] = 0, maxval
    return values.astype(np.uint8 if maxval < 256 else np.uint16).squeeze()


@pytest.mark.parametrize("maxval", [1, 2, 7, 15, 100, 254, 255, 256, 1000, 1023, 4095, 32767, 65534, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
@pytest.mark.parametrize("task", [DEPTH, SEMANTIC, None])
def test_values_of_pnm_are_kept_at_every_maxval(kind: int, maxval: int, task: Any, tmp_path: Path) -> None:
    values = values_to(maxval, 3 if kind in (3, 6) else 1)
    text = " ".join(map(str, values.ravel())).encode()
    pixels = text if kind < 4 else values.astype(">u2" if maxval > 255 else "u1").tobytes()
    path = tmp_path / ("x.ppm" if kind in (3, 6) else "x.pgm")
    path.write_bytes(b"P%d # by hand\n# two\n7\t5 # size\n%d\n%s" % (kind, maxval, pixels))
    image, _, lines = read(path, task)
    assert image.dtype == values.dtype and np.array_equal(image, values)
    assert not lines if maxval in (255, 65535) else f"0 to {maxval}, and stay as they are in" in lines[0]


@pytest.mark.parametrize("header", [b"P1\n7 5\n", b"P4\n7 5\n"])
def test_bitmaps_are_numbers_or_black_and_white(header: bytes, tmp_path: Path) -> None:
    bits = NOISE[:5, :7, 0] & 1
    packed = np.packbits(bits, axis=1).tobytes()
    pixels = packed if header[1:2] == b"4" else b"\n".join(b"".join(b"%d" % b for b in row) for row in bits)
    (tmp_path / "x.pbm").write_bytes(header + pixels)
    assert np.array_equal(read(tmp_path / "x.pbm", SEMANTIC)[0], bits)
    assert np.array_equal(read(tmp_path / "x.pbm", RGB)[0], (1 - bits) * 255)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 0.25])
def test_pfm_is_read_from_bottom_to_top_in_both_byte_orders(
    order: str, channels: int, scale: float, tmp_path: Path
) -> None:
    image = np.random.default_rng(0).normal(0, 1e3, (5, 7, channels)).astype(np.float32).squeeze()
    image[0, 0], image[1, 0], image[2, 0], image[3, 0] = np.inf, np.finfo("f4").max, np.finfo("f4").min, 1e-45
    header = b"P%s\n7 5\n%g\n" % (b"F" if channels == 3 else b"f", -scale if order == "<" else scale)
    (tmp_path / "x.pfm").write_bytes(header + image[::-1].astype(f"{order}f4").tobytes())
    back, _, lines = read(tmp_path / "x.pfm", DEPTH)
    assert back.dtype == np.float32 and np.array_equal(back, image)
    told = ["x: its values are kept as they are; the scale of 0.25 is not applied"]
    assert lines == ([] if scale == 1 else told)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("maxval", [255, 65535])
def test_pam_has_alpha(channels: int, maxval: int, tmp_path: Path) -> None:
    values = values_to(maxval, channels).reshape(5, 7, channels)
    header = b"P7\n# by hand\nWIDTH 7\nHEIGHT 5\nDEPTH %d\nMAXVAL %d\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    pixels = values.astype(">u2" if maxval > 255 else "u1").tobytes()
    (tmp_path / "x.pam").write_bytes(header % (channels, maxval) + pixels)
    image, alpha, _ = read(tmp_path / "x.pam", RGB)
    assert (alpha is not None) == (channels in (2, 4))
    back = np.dstack([image] if alpha is None else [image, alpha])
    assert back.dtype == values.dtype and np.array_equal(back, values)


def test_a_second_image_is_told(tmp_path: Path) -> None:
    one = b"P5 2 2 255\n" + bytes(4)
    (tmp_path / "x.pgm").write_bytes(one + one)
    assert read(tmp_path / "x.pgm")[2] == ["x: only its first image is read; 15 bytes follow"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P5 2 2 255\n123", "not as many numbers"),
        (b"P2 2 2 255\n1 2 3", "not as many numbers"),
        (b"P2 2 2 255\n1 2 3 4 5", "not as many numbers"),
        (b"P2 2 2 255\n1 2 3 256", "a value of 256 is more than the 255 it declares"),
        (b"P2 2 2 255\n1 2 3 -4", "not as many numbers"),
        (b"P5 2 2 7\n\1\2\3\x08", "a value of 8 is more than the 7 it declares"),
        (b"P5 2 2 65536\n" + bytes(8), "its header is damaged"),
        (b"P5 2 2 0\n" + bytes(8), "its header is damaged"),
        (b"Pf 2 2 nan\n" + bytes(16), "its header is damaged"),
        (b"P7\nWIDTH 2\nENDHDR\n", "damaged"),
        (b"P2 2 2 255\na b c d", "damaged"),
        (b"P1 2 2 0 1 2 0", "a value of 2 is more than"),
    ],
)
def test_refuses_damaged_pnm(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x.pnm").write_bytes(data)
    with pytest.raises(SceneError, match=reason):
        read(tmp_path / "x.pnm")


# --- WebP, BMP, GIF ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "channels", "options"),
    [("x.webp", 3, {"lossless": True}), ("x.webp", 4, {"lossless": True, "exact": True}), ("x.bmp", 3, {}),
     ("x.bmp", 1, {})],
)  # fmt: skip
def test_eight_bits_are_kept_exactly(name: str, channels: int, options: Any, tmp_path: Path) -> None:
    image = NOISE[..., :channels].squeeze()
    image[0, 0], image[0, 1] = 0, 255
    PIL.Image.fromarray(image).save(tmp_path / name, **options)
    back, alpha, lines = read(tmp_path / name, RGB)
    assert back.dtype == np.uint8 and np.array_equal(back, image[..., :3] if channels == 4 else image)
    assert not lines and (np.array_equal(alpha, image[..., 3]) if channels == 4 else alpha is None)


def test_grey_gifs_have_three_equal_channels_for_colours_alone(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    PIL.Image.fromarray(grey).save(tmp_path / "x.gif")
    image, alpha = read_with_alpha(tmp_path / "x.gif", "x", DEPTH)
    assert np.array_equal(image, grey) and alpha is None
    assert np.array_equal(np.atleast_3d(read(tmp_path / "x.gif", RGB)[0])[..., 0], grey)


@pytest.mark.parametrize("name", ["x.bmp", "x.gif"])
def test_palettes_are_colours_and_their_indexes_labels(name: str, tmp_path: Path) -> None:
    ids, palette = NOISE[..., 0] % 5, NOISE[0, :5, :3]
    file = PIL.Image.fromarray(ids)
    file.putpalette(palette.tobytes())
    file.save(tmp_path / name, optimize=False)
    assert np.array_equal(read(tmp_path / name, RGB)[0], palette[ids])
    labels, _, lines = read(tmp_path / name, SEMANTIC)
    assert np.array_equal(labels, ids) and lines == [
        "x: the indexes of its palette are kept, not the colours"
    ]


def test_transparent_colours_of_gifs_are_alpha(tmp_path: Path) -> None:
    ids, palette = NOISE[..., 0] % 5, NOISE[0, :5, :3]
    file = PIL.Image.fromarray(ids)
    file.putpalette(palette.tobytes())
    file.save(tmp_path / "x.gif", transparency=2, optimize=False)
    image, alpha, _ = read(tmp_path / "x.gif", RGB)
    assert np.array_equal(image, palette[ids]) and np.array_equal(alpha, np.where(ids == 2, 0, 255))


def test_one_bit_of_bmp_is_a_number_or_black_and_white(tmp_path: Path) -> None:
    bits = NOISE[..., 0] & 1
    PIL.Image.fromarray(bits > 0).save(tmp_path / "x.bmp")
    assert np.array_equal(read(tmp_path / "x.bmp", SEMANTIC)[0], bits)
    assert np.array_equal(read(tmp_path / "x.bmp", RGB)[0], bits * 255)


@pytest.mark.parametrize("name", ["x.gif", "x.webp"])
def test_of_frames_the_first_is_read_with_a_line(name: str, tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(NOISE[..., k]) for k in range(3)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    image, _, lines = read(tmp_path / name, RGB)
    assert np.array_equal(np.atleast_3d(image)[..., 0], NOISE[..., 0])
    assert lines[0] == "x: only the first of its 3 frames is read"


def test_labels_in_lossy_webp_are_warned_of(tmp_path: Path) -> None:
    warning = ["x: a WebP file, which changes labels where they meet; PNG keeps them"]
    for lossless in (False, True):
        PIL.Image.fromarray(NOISE[..., :3]).save(tmp_path / "x.webp", lossless=lossless)
        assert read(tmp_path / "x.webp", SEMANTIC)[2] == ([] if lossless else warning)


def grey_png(image: Any, bits: int) -> bytes:
    """A file of grey values of ``bits`` bits, which Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    digits = np.unpackbits(image[..., None], axis=2)[..., 8 - bits :].reshape(len(image), -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in digits)
    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], bits, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_only_colours_of_few_bits_are_stretched(bits: int, suffix: str, tmp_path: Path) -> None:
    image = (np.arange(20 * 24) % (1 << bits)).astype(np.uint8).reshape(20, 24)
    path = tmp_path / f"x{suffix}"
    if suffix == ".png":
        path.write_bytes(grey_png(image, bits))
    else:
        tifffile.imwrite(path, image, bitspersample=bits, photometric="minisblack", metadata=None)
    for task in (USUAL["depth"], USUAL["disparity"], USUAL["semantic"], None):
        values = read(path, task)[0]
        assert values.dtype == np.uint8 and np.array_equal(values, image)
    stretched = image * (255 // ((1 << bits) - 1))
    for task in (USUAL["rgb"], USUAL["normal"]):
        assert np.array_equal(read(path, task)[0], stretched)
    assert shape_of(path) == (20, 24, 1, "uint8")


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_the_header_tells_of_the_alpha_of_a_transparent_colour(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    picture = PIL.Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30)).convert(mode)
    picture.save(path, transparency={"L": 7, "RGB": (7, 7, 7), "P": 7}[mode])
    image, alpha, _ = read(path, USUAL["rgb"])
    assert alpha is not None and np.array_equal(alpha == 0, np.atleast_3d(image)[..., 0] == 7)
    stored_channels = {"L": 1, "RGB": 3, "P": 3}[mode]
    assert shape_of(path) == (20, 30, stored_channels + 1, "uint8")
