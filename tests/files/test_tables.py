"""Parquet files of images as datasets: their scenes, cells without images, and what is refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from shared.commands import png

from mtcodec.errors import DependencyError, SceneError
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
DEPTH = np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def cells(images: list[Any]) -> pa.Array:
    """A column as Hugging Face writes it."""
    return pa.array([None if i is None else {"bytes": png(i), "path": None} for i in images], STRUCT)


def write(path: Path, columns: dict[str, Any], **settings: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **settings)
    return path


def notes(path: Path) -> tuple[list[str], list[str]]:
    """Keys and notes."""
    lines: list[str] = []
    return [s.key for s in find_scenes(path, note=lines.append)], [x.removeprefix(f"{path}: ") for x in lines]


def test_rows_are_scenes_whatever_their_groups(tmp_path: Path) -> None:
    depths = [DEPTH + k for k in range(5)]
    columns = {"image": cells([RGB] * 5), "depth": pa.array(map(png, depths), pa.large_binary()),
               "label": range(5), "caption": ["a"] * 5}  # fmt: skip
    path = write(tmp_path / "x.parquet", columns, row_group_size=2)
    scenes = find_scenes(path)
    assert [s.key for s in scenes] == [f"{k:06d}" for k in range(5)]
    for k in (4, 0, 3, 1, 2):
        images = read_scene(scenes[k])
        assert np.array_equal(images["rgb"], RGB) and np.array_equal(images["depth"], depths[k])
    assert notes(path)[1] == [
        "columns left out, as they hold no images: label, caption",
        "image is read as rgb (--rename image=image keeps its name)",
    ]


def test_formats_are_told_by_their_bytes(tmp_path: Path) -> None:
    photo, array = io.BytesIO(), io.BytesIO()
    Image.fromarray(RGB).save(photo, "JPEG")
    np.save(array, DEPTH.astype(np.float32))
    columns = {"rgb": [photo.getvalue()], "depth": [array.getvalue()], "features": [b"\x80\x04pickled"]}
    path = write(tmp_path / "x.parquet", columns)
    (scene,) = find_scenes(path)
    images = read_scene(scene)
    assert images["rgb"].shape == RGB.shape and np.array_equal(images["depth"], DEPTH)
    assert notes(path)[1] == ["columns left out, as they hold no images: features"]


def test_scenes_lack_what_a_cell_lacks(tmp_path: Path) -> None:
    outside = pa.array([{"bytes": None, "path": "/etc/passwd"}] * 3, STRUCT)
    columns = {"rgb": cells([RGB] * 3), "depth": cells([None, DEPTH, None]), "mask": outside}
    path = write(tmp_path / "x.parquet", columns)
    lines: list[str] = []
    assert [list(read_scene(s, note=lines.append)) for s in find_scenes(path)] == [
        ["rgb"], ["depth", "rgb"], ["rgb"],
    ]  # fmt: skip
    assert lines == ["depth: there is none"] * 2
    assert notes(path)[1] == ["columns left out, as they hold no images: mask"]


def test_a_column_may_say_what_scenes_are_called(tmp_path: Path) -> None:
    images = cells([RGB] * 2)
    assert notes(write(tmp_path / "a.parquet", {"rgb": images, "id": ["a/7", "b"]})) == (["a/7", "b"], [])
    assert notes(write(tmp_path / "b.parquet", {"rgb": images, "key": [12, 3]})) == (["12", "3"], [])
    for names in (["a", "a"], ["..", "b"], ["/etc/a", "b"], ["a\\b", "c"]):
        keys, lines = notes(write(tmp_path / "c.parquet", {"rgb": images, "id": names}))
        assert keys == ["000000", "000001"]
        assert lines == ["scenes are called by numbers of rows, as id repeats, or is no path"]


def test_a_directory_of_files(tmp_path: Path) -> None:
    for k in range(2):
        write(tmp_path / "data" / f"train-{k:05d}-of-00002.parquet", {"rgb": cells([RGB])})
    keys = [f"data/train-{k:05d}-of-00002/000000" for k in range(2)]
    assert notes(tmp_path) == (keys, [])


def test_refuses_what_is_no_table_of_images(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"label": [1, 2]})
    with pytest.raises(SceneError, match="no scenes found: it holds no images"):
        find_scenes(path)
    data = write(path, {"rgb": cells([RGB])}).read_bytes()
    for damaged in (b"", b"PAR1", data[:-20], b"x" * 100):
        path.write_bytes(damaged)
        with pytest.raises(SceneError) as caught:
            find_scenes(path)
        assert str(caught.value).startswith(f"{path}: cannot read it: ") and "\n" not in str(caught.value)
    table = pa.table({"rgb": cells([RGB])}).replace_schema_metadata({"mtcodec": "{}"})
    pq.write_table(table, path)
    with pytest.raises(SceneError, match="a shard of an archive of mtcodec"):
        find_scenes(path)


def test_a_damaged_cell_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"rgb": [png(RGB), b"no picture"]})
    with pytest.raises(SceneError) as caught:
        read_scene(find_scenes(path)[1])
    assert str(caught.value).startswith(f"{path}: column rgb, row 1 of group 0: cannot read it: not an image")


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.parquet", {"rgb": cells([RGB])})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        DependencyError, match=r"a Parquet file needs pyarrow: pip install 'mtcodec\[archive\]'"
    ):
        find_scenes(path)
