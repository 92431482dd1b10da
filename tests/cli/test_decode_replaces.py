"""What ``decode`` and ``unpack`` write over: images that they have written themselves, and nothing else."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shared.commands import Run, fails, files, image, write

import mtcodec

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (9, 11, 3), dtype=np.uint8)
LABELS = RNG.integers(0, 5, (9, 11), dtype=np.int32)
HEIGHTS = RNG.random((9, 11), dtype=np.float32)  # .npy, as PNG holds no floats
FORCE = "exists already (--force overwrites it)"
NOT_OURS = "decoding has not written it: choose another directory"
POSE = b'{"fov": 60}'


def encoded(path: Path, **images: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mtcodec.encode(images, coding="classical", effort="fast", attach={"pose.json": POSE}))
    return path


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A file of colours and of heights, in a directory of its own."""
    return encoded(tmp_path / "in" / "scene.mtc", rgb=RGB, heights=HEIGHTS)


@pytest.fixture
def archive(tmp_path: Path, run: Run) -> Path:
    """An archive of the same scene."""
    source = tmp_path / "source" / "scene"
    write(source / "rgb.png", RGB)
    np.save(source / "heights.npy", HEIGHTS)
    (source / "pose.json").write_bytes(POSE)
    arguments = ("--coding", "classical", "--effort", "fast", "--attach", "pose.json", "--workers", 1, "-q")
    assert run("pack", source.parent, "-o", tmp_path / "archive", *arguments).code == 0
    return tmp_path / "archive"


@pytest.fixture(params=["decode", "unpack"])
def command(request: pytest.FixtureRequest, scene: Path, tmp_path: Path) -> tuple[object, ...]:
    """Either command, with which the images of the scene go to ``out/scene``."""
    if request.param == "decode":
        return ("decode", scene, "-o", tmp_path / "out" / "scene", "-q")
    return ("unpack", request.getfixturevalue("archive"), "-o", tmp_path / "out", "--workers", 1, "-q")


# --- where images go without -o ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("scene.mtc", "scene.decoded"),
        ("scene.MTC", "scene.decoded"),
        ("frame.0001.mtc", "frame.0001.decoded"),
        ("frame.0001", "frame.0001.decoded"),
        ("scene", "scene.decoded"),
        ("a b.decoded", "a b.decoded.decoded"),
    ],
)
def test_images_go_beside_the_originals_not_among_them(
    name: str, directory: str, scene: Path, tmp_path: Path, run: Run
) -> None:
    file = shutil.move(scene, tmp_path / name)
    assert run("decode", file, "--tasks", "rgb", "-q") == (0, b"", "")
    assert files(tmp_path / directory) == ["pose.json", "rgb.png"]


def test_originals_of_the_same_name_stay(tmp_path: Path, run: Run) -> None:
    originals = write(tmp_path / "scene" / "rgb.png", RGB).parent
    before = (originals / "rgb.png").read_bytes()
    assert run("encode", originals, "-o", tmp_path / "scene.mtc", "--quality", 5, "-q").code == 0
    for more in ((), ("--force",)):
        assert run("decode", tmp_path / "scene.mtc", "-q", *more).code == 0
    assert files(originals) == ["rgb.png"] and (originals / "rgb.png").read_bytes() == before


# --- what is replaced ----------------------------------------------------------------------------------


def test_its_own_images_are_replaced_with_force(
    command: tuple[object, ...], tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "out" / "scene"
    assert run(*command).code == 0
    before = {name: (out / name).read_bytes() for name in files(out)}
    assert list(before) == ["heights.npy", "pose.json", "rgb.png"]
    fails(run(*command), 1, FORCE)
    assert run(*command, "--force").code == 0
    assert {name: (out / name).read_bytes() for name in files(out)} == before  # the mark is always the same


def test_tasks_may_come_one_after_the_other(command: tuple[object, ...], tmp_path: Path, run: Run) -> None:
    for task in ("rgb", "heights"):
        assert run(*command, "--tasks", task).code == 0
    assert files(tmp_path / "out" / "scene") == ["heights.npy", "pose.json", "rgb.png"]


def test_its_own_image_of_another_format_makes_room(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    for images in ({"ids": LABELS}, {"ids": LABELS.astype(np.uint8)}, {"ids": LABELS}):
        file = encoded(tmp_path / "scene.mtc", **images)
        assert run("decode", file, "-o", out, "-q", "--force").code == 0
        name = "ids.npy" if images["ids"].dtype == np.int32 else "ids.png"
        assert files(out) == [name, "pose.json"]
        assert np.array_equal(image(out / name), LABELS)


def _as_other(path: Path) -> None:
    Image.fromarray(RGB).save(path)


def _as_array(path: Path) -> None:
    np.save(path, HEIGHTS)


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("rgb.png", _as_other),
        ("rgb.jpg", _as_other),
        ("RGB.JPEG", _as_other),
        ("rgb.tif", _as_other),
        ("image.png", _as_other),  # another name of rgb
        ("rgb.npy", _as_array),
        ("heights.npy", _as_array),
        ("heights.png", _as_other),
        ("rgb.png", lambda path: path.write_bytes(b"")),
        ("rgb.png", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n")),
        ("rgb.exr", lambda path: path.write_bytes(b"no image")),
        ("rgb.png", lambda path: path.mkdir()),
        ("pose.json", lambda path: path.write_bytes(POSE + b"\n")),
        ("pose.json", lambda path: path.mkdir()),
    ],
)
def test_what_others_wrote_is_refused_by_name(
    name: str, put: Callable[[Path], object], force: tuple[str, ...],
    command: tuple[object, ...], tmp_path: Path, run: Run,
) -> None:  # fmt: skip
    path = tmp_path / "out" / "scene" / name
    path.parent.mkdir(parents=True)
    put(path)
    before = path.read_bytes() if path.is_file() else b""
    fails(run(*command, *force), 1, f"{path}: exists already", "choose another directory")
    assert list(path.parent.iterdir()) == [path]
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_link_to_an_original_is_refused(command: tuple[object, ...], tmp_path: Path, run: Run) -> None:
    original = write(tmp_path / "original.png", RGB)
    before = original.read_bytes()
    link = tmp_path / "out" / "scene" / "rgb.png"
    link.parent.mkdir(parents=True)
    link.symlink_to(original)
    fails(run(*command, "--force"), 1, f"{link}: exists already", NOT_OURS)
    assert original.read_bytes() == before


def test_images_that_were_changed_since_are_others(
    command: tuple[object, ...], tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "out" / "scene"
    assert run(*command).code == 0
    with Image.open(out / "rgb.png") as picture:
        picture.save(out / "rgb.png")
    fails(run(*command, "--force"), 1, f"{out / 'rgb.png'}: exists already", NOT_OURS)
    shutil.rmtree(out)
    assert run(*command).code == 0
    data = (out / "rgb.png").read_bytes()
    chunk = b"\0\0\0\x03tEXta\0b" + zlib.crc32(b"tEXta\0b").to_bytes(4, "big")
    (out / "rgb.png").write_bytes(data[:-12] + chunk + data[-12:])  # a program that keeps other texts
    fails(run(*command, "--force"), 1, f"{out / 'rgb.png'}: exists already", NOT_OURS)
    shutil.rmtree(out)
    assert run(*command).code == 0
    np.save(out / "heights.npy", np.load(out / "heights.npy"))
    fails(run(*command, "--force"), 1, f"{out / 'heights.npy'}: exists already", NOT_OURS)


def test_images_of_other_tasks_are_left_alone(command: tuple[object, ...], tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out" / "scene"
    depth = write(out / "depth.png", LABELS.astype(np.uint16)).read_bytes()
    (out / "notes.txt").write_text("mine")
    assert run(*command, "--force").code == 0
    assert (out / "depth.png").read_bytes() == depth and (out / "notes.txt").read_text() == "mine"


def test_refused_directories_are_one_failure_of_a_batch(scene: Path, tmp_path: Path, run: Run) -> None:
    encoded(scene.with_name("second.mtc"), rgb=RGB)
    path = write(tmp_path / "out" / "scene" / "rgb.png", RGB)
    result = run("decode", scene.parent, "-o", tmp_path / "out", "--skip-errors", "-q")
    assert result.code == 3 and f"skipped: {path}: exists already" in result.err
    assert files(tmp_path / "out" / "second") == ["pose.json", "rgb.png"]


def test_decoded_images_can_be_read_and_encoded_again(scene: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    assert run("decode", scene, "-o", out, "-q").code == 0
    with Image.open(out / "rgb.png") as picture:
        assert picture.text["Software"].startswith("mtcodec decode, ")
    assert np.array_equal(np.load(out / "heights.npy", mmap_mode="r"), HEIGHTS)
    assert run("encode", out, "-o", tmp_path / "again.mtc", "-q").code == 0
    assert np.array_equal(mtcodec.decode(tmp_path / "again.mtc")["heights"], HEIGHTS)
