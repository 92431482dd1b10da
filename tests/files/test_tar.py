"""Tar files as datasets: their scenes, where images are read from, and hostile ones."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from mtcodec.errors import SceneError
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.files.trees.tar import Member

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
DEPTH = np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000


def png(image: np.ndarray) -> bytes:  # type: ignore[type-arg]
    return bytes(imagecodecs.png_encode(image))


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG")
    return buffer.getvalue()


def pack(path: Path, members: dict[str, bytes], *special: tarfile.TarInfo, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for info in special:
            file.addfile(info)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def samples(*keys: str) -> dict[str, bytes]:
    return {
        f"{key}.{name}.png": png(image) for key in keys for name, image in (("rgb", RGB), ("depth", DEPTH))
    }


def search(path: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Tasks by key, and notes; every scene reads, whose images are RGB and DEPTH."""
    lines: list[str] = []
    scenes = find_scenes(path, note=lines.append)
    for scene in scenes:
        images = read_scene(scene)
        assert "depth" not in images or np.array_equal(images["depth"], DEPTH)
        assert images["rgb"].shape == RGB.shape
    return {s.key: list(s.files) for s in scenes}, [line.removeprefix(f"{path}: ") for line in lines]


def test_a_shard_of_webdataset(tmp_path: Path) -> None:
    path = pack(tmp_path / "shard-000000.tar", {**samples("0001", "./0002", "a/0003"), "0001.json": b"{}"})
    assert search(path) == (
        {key: ["depth", "rgb"] for key in ("0001", "0002", "a/0003")},
        ["left out, as they are no images: 1 .json file (0001.json)"],
    )
    (scene, *_) = find_scenes(path)
    assert str(scene.files["rgb"]) == f"{path}/0001.rgb.png" and scene.files["rgb"].name == "0001.rgb.png"


def test_an_image_without_a_name_beside_one_with(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {"0001.jpg": jpeg(), "0001.depth.png": png(DEPTH)})
    assert search(path) == (
        {"0001": ["depth", "rgb"]}, ["image is read as rgb (--rename image=image keeps its name)"],
    )  # fmt: skip


def test_images_that_only_their_formats_tell_apart(tmp_path: Path) -> None:
    files, lines = search(pack(tmp_path / "x.tar", {"0001.jpg": jpeg(), "0001.png": png(DEPTH)}))
    assert files == {"0001": ["depth", "rgb"]}
    assert lines[1] == "of pairs of images, png is read as depth (--rename png=… says otherwise)"


def test_a_directory_of_shards(tmp_path: Path) -> None:
    for split, k in (("train", 0), ("train", 1), ("val", 0)):
        pack(tmp_path / split / f"{k:06d}.tar", samples("0001"))
    (tmp_path / "readme.txt").write_text("")
    assert search(tmp_path) == (
        {f"{shard}/0001": ["depth", "rgb"] for shard in ("train/000000", "train/000001", "val/000000")},
        ["left out, as they are no images: 1 .txt file (readme.txt)"],
    )


def test_tar_files_beside_what_they_held_are_left_out(tmp_path: Path) -> None:
    pack(tmp_path / "all.tar", samples("0001"))
    for name, image in (("rgb", RGB), ("depth", DEPTH)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(png(image))
    assert search(tmp_path) == (
        {"1": ["depth", "rgb"]},
        ["left out, as they are no images: 1 .tar file (all.tar)"],
    )


def test_other_layouts_in_a_tar_file(tmp_path: Path) -> None:
    tree = {f"{task}/train/{n}.png": png(i) for task, i in (("rgb", RGB), ("depth", DEPTH)) for n in (1, 2)}
    assert search(pack(tmp_path / "a.tar", tree))[0] == {f"train/{n}": ["depth", "rgb"] for n in (1, 2)}
    tree = {f"{n}/{task}.png": png(i) for task, i in (("rgb", RGB), ("depth", DEPTH)) for n in (1, 2)}
    assert search(pack(tmp_path / "b.tar", tree))[0] == {f"{n}": ["depth", "rgb"] for n in (1, 2)}
    assert search(pack(tmp_path / "one.tar", {"rgb.png": png(RGB)}))[0] == {"one": ["rgb"]}


def test_float_arrays_in_a_tar_file(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, DEPTH.astype(np.float32))
    (scene,) = find_scenes(
        pack(tmp_path / "x.tar", {"1.rgb.png": png(RGB), "1.depth.npy": buffer.getvalue()})
    )
    assert read_scene(scene)["depth"].dtype == np.float32


# --- hostile ones --------------------------------------------------------------------------------


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_links_and_names_that_lead_elsewhere_are_left_out_with_a_line(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "x.tar",
        {**samples("0001"), "/etc/0002.rgb.png": png(RGB), "../0003.rgb.png": png(RGB), "a//b.png": b""},
        special("0004.rgb.png", tarfile.SYMTYPE, "/etc/passwd"),
        special("0005.rgb.png", tarfile.LNKTYPE, "0001.rgb.png"),
        special("0006.rgb.png", tarfile.CHRTYPE),
    )
    assert search(path) == (
        {"0001": ["depth", "rgb"]},
        [
            "left out, as names may lead elsewhere: "
            "x.tar//etc/0002.rgb.png, x.tar/../0003.rgb.png, x.tar/a//b.png",
            "left out, as they are links or the like: "
            "x.tar/0004.rgb.png, x.tar/0005.rgb.png, x.tar/0006.rgb.png",
        ],
    )  # fmt: skip


def raw(size: int, kind: bytes = tarfile.REGTYPE, data: bytes = b"") -> bytes:
    """A header that declares ``size`` bytes, and ``data``."""
    info = tarfile.TarInfo("0001.rgb.png")
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT) + data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no tar file" * 100, "cannot read it"),
        (b"", "cannot read it"),
        (raw(1 << 40), "it ends within 0001.rgb.png"),
        (raw(1 << 33, tarfile.GNUTYPE_LONGNAME), "a header of"),
        (raw(1 << 33, tarfile.XHDTYPE), "a header of"),
        (raw(3, tarfile.XHDTYPE, b"9 a=b\n".ljust(512, b"\0")) * 2000, "cannot read it"),
        (raw(3, data=b"abc".ljust(512, b"\0")) + b"x" * 1024, "damaged header at byte 1024"),
    ],
)
def test_damaged_tar_files_are_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    with pytest.raises(SceneError) as caught:
        find_scenes(path)
    assert str(caught.value).startswith(f"{path}: ") and reason in str(caught.value)


def test_compressed_tar_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="cannot read it"):
        find_scenes(pack(tmp_path / "x.tar", samples("1"), mode="w:gz"))


def test_a_cut_end_is_told(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", samples("0001"))
    data = path.read_bytes()
    path.write_bytes(data.rstrip(b"\0")[: len(data)].ljust(-(-len(data.rstrip(b"\0")) // 512) * 512, b"\0"))
    assert search(path)[1] == ["x.tar has no end mark: it may have been cut off"]


def test_a_member_that_changed_meanwhile(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", samples("0001"))
    (scene,) = find_scenes(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(SceneError, match="the tar file ends within it"):
        read_scene(scene)
    with pytest.raises(ValueError, match="are more than"):
        Member(path, "a.png", 0, 1 << 40).read_bytes()
