"""The recipes of ``docs/recipes``: in and out of other containers of datasets."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from pathlib import Path
from types import ModuleType

import imagecodecs
import numpy as np
import pytest

from mtcodec import Codec
from mtcodec.archive.read import ArchiveReader
from mtcodec.files.scene import Scene, read_scene
from mtcodec.files.trees.layouts import SceneFiles

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"


def recipe(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scenes(bundled: list[SceneFiles]) -> dict[str, Scene]:
    found = {f"room/{k}": read_scene(bundled[k]) for k in range(3)}
    del found["room/1"]["normal"]
    return found


def close(a: Scene, b: Scene) -> bool:
    """Equal but for the rounding of networks in batches of other sizes."""
    return list(a) == list(b) and all(
        a[n].dtype == b[n].dtype and np.abs(a[n].astype(int) - b[n]).max() <= 1 + int(np.ptp(b[n])) // 4096
        for n in a
    )


def test_webdataset(scenes: dict[str, Scene], small: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                    capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    module = recipe("webdataset_shards")
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        for key, scene in scenes.items():
            for name, data in [(f"{t}.png", bytes(imagecodecs.png_encode(i))) for t, i in scene.items()] + [
                ("json", b"{}")
            ]:
                member = tarfile.TarInfo(f"{key}.{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))

    def run(*arguments: object) -> None:
        monkeypatch.setattr("sys.argv", ["recipe", *map(str, arguments)])
        module.main()

    archive = tmp_path / "archive"
    options = ("--weights", small.paths[0], "--quality", 80, "--coding", "neural")
    run("pack", tmp_path / "in.tar", "-o", archive, *options)
    assert "3 scenes" in capsys.readouterr().out
    expected = {key: small.decode(small.encode(scene, 80)) for key, scene in scenes.items()}
    assert sorted(expected["room/0"]) == ["depth", "normal", "rgb", "semantic"]
    run("unpack", archive, "-o", tmp_path / "shards", "--scenes", 2)
    shards = sorted((tmp_path / "shards").iterdir())
    assert [p.name for p in shards] == ["00000.tar", "00001.tar"]
    back = dict(module.scenes_of(shards))
    assert sorted(back) == sorted(scenes) and all(
        close(dict(sorted(back[k].items())), dict(sorted(expected[k].items()))) for k in scenes
    )
    run("unpack", archive, "-o", tmp_path / "depth", "--tasks", "depth")
    assert [list(s) for _, s in module.scenes_of(sorted((tmp_path / "depth").iterdir()))] == [["depth"]] * 3


@pytest.mark.filterwarnings("ignore")
def test_huggingface(
    scenes: dict[str, Scene], small: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    from PIL import Image

    module = recipe("huggingface_datasets")
    columns = {
        "id": list(scenes),
        "image": [Image.fromarray(s["rgb"]) for s in scenes.values()],
        "depth_map": [Image.fromarray(s["depth"]) for s in scenes.values()],
    }
    features = {"id": datasets.Value("string"), "image": datasets.Image(), "depth_map": datasets.Image()}
    rows = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    archive, mapping = tmp_path / "archive", {"image": "rgb", "depth_map": "depth"}
    options = {"key": "id", "weights": str(small.paths[0]), "quality": 80.0, "coding": "neural"}
    assert module.pack_dataset(rows, archive, mapping, **options).scenes == 3
    assert module.pack_dataset(rows, archive, mapping, **options).before == 3
    assert ArchiveReader(archive).rows == 3
    back = module.to_dataset(archive)
    assert back["key"][:] == list(scenes)
    for row in back:
        part = {n: scenes[row["key"]][n] for n in ("rgb", "depth")}
        expected = small.decode(small.encode(part, 80))
        assert close({n: module.array(n, row[n]) for n in ("rgb", "depth")}, expected)
    undecoded = datasets.load_dataset("parquet", data_files=str(archive / "*.parquet"), split="train",
                                      cache_dir=str(tmp_path / "cache"))  # fmt: skip
    assert undecoded["key"][:] == list(scenes)
