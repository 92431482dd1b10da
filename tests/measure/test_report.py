"""Classical curves, and whole evaluations."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SCENES

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

from shared.commands import write
from shared.samples import scene_of

from mtcodec.codec.api import Codec
from mtcodec.codec.prepare import Scene
from mtcodec.errors import DependencyError, UsageError
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.measure import evaluate as report
from mtcodec.measure import image_codecs
from mtcodec.measure.bd_rate import bd_rate
from mtcodec.measure.curves import CurveCache, curve, fingerprint
from mtcodec.measure.evaluate import evaluate
from mtcodec.measure.lines import total_lines
from mtcodec.measure.plot import draw
from mtcodec.measure.tables import format_bd_rates, format_table
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

RGB = USUAL["rgb"]
TASKS = ("rgb", "depth", "normal")


def test_curve_is_the_mean_over_images() -> None:
    images = [Signal.from_image(RGB, scene_of(shift=s)["rgb"]) for s in (0.0, 1.0)]
    points = curve("jpeg", images, (10, 90))
    files = [image_codecs.encode("jpeg", image, 90) for image in images]
    assert [p.quality for p in points] == [10, 90] and points[0].psnr < points[1].psnr
    assert points[1].bytes == sum(map(len, files)) / 2
    assert points[1].bpp == pytest.approx(points[1].bytes * 8 / 48**2)
    assert points[1].images == 2 and points[1].encode_ms > 0
    decoded = [image_codecs.decode("jpeg", *pair) for pair in zip(files, images)]
    errors = [measure(*pair)["mse"] for pair in zip(images, decoded)]
    assert points[1].mse == pytest.approx(sum(errors) / 2) and points[1].mse > 0


def test_cache_knows_pixels_codec_and_grid(tmp_path: Path) -> None:
    image = scene_of()["rgb"]
    images = [Signal.from_image(RGB, image)]
    file = tmp_path / "cache.json"
    key = fingerprint(images)
    points = curve("jpeg", images, (50,))
    CurveCache(file).put(key, "jpeg", (50,), points)
    cache = CurveCache(file)
    assert cache.get(key, RGB, "jpeg", (50.0,)) == points
    assert cache.get(key, RGB, "jpeg", (51,)) is None and cache.get(key, RGB, "webp", (50,)) is None
    other = CurveCache(file, {"jpeg": "other tables"})
    assert other.get(key, RGB, "jpeg", (50,)) is None
    assert CurveCache(file, {"webp": "weights"}).get(key, RGB, "jpeg", (50,)) == points
    changed = image.copy()
    changed[3, 3] += 1
    assert fingerprint([Signal.from_image(RGB, changed)]) != key
    file.write_text("{ damaged")
    assert CurveCache(file).get(key, RGB, "jpeg", (50,)) is None


class Shelf:
    """A codec that drops low bits, more of them at low quality, and stores what is left as npz.

    ``waste`` bytes are added to each file.
    """

    def __init__(self, waste: int = 0) -> None:
        self.waste = waste

    def encode(self, scene: Scene, *, quality: float) -> bytes:
        step = 8 if quality < 10 else 4 if quality < 50 else 2
        coarse = {n: i if n == "semantic" else i // step * step for n, i in scene.items()}
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **coarse)
        return file.getvalue() + bytes(self.waste)

    def decode(self, data: bytes) -> Scene:
        with np.load(io.BytesIO(data[: len(data) - self.waste]), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def shelf_info(data: bytes) -> Mapping[str, Any]:
    """Ten bytes of overhead and twenty for the labels; the other tasks share the rest."""
    lossy = len(data) - 30
    tasks = {n: {"bytes": lossy, "sections": ["shared"]} for n in ("rgb", "depth", "normal")}
    tasks["semantic"] = {"bytes": 20, "sections": ["semantic"]}
    sections = [{"name": "shared", "bytes": lossy}, {"name": "semantic", "bytes": 20}]
    return {"overhead_bytes": 10, "sections": sections, "tasks": tasks}


@pytest.fixture
def scenes(tmp_path: Path) -> list[SceneFiles]:
    import imagecodecs

    paths = [tmp_path / "scenes" / name for name in ("a", "b")]
    for shift, path in enumerate(paths):
        path.mkdir(parents=True)
        for name, image in scene_of(shift=float(shift)).items():
            (path / f"{name}.png").write_bytes(imagecodecs.png_encode(image))
    return find_scenes(tmp_path / "scenes")


def test_evaluate(scenes: list[SceneFiles], tmp_path: Path) -> None:
    out, said = tmp_path / "out", []
    grids = dict.fromkeys(image_codecs.VARIANTS, (10, 60, 95)) | dict.fromkeys(("jxl", "jxl16"), (8, 2, 0.3))
    options: dict[str, Any] = {"info": shelf_info, "grids": grids, "arguments": {"data": "made up"}}
    results = evaluate(
        {"shelf": Shelf()},
        scenes,
        [20, 80],
        ["webp", "jxl"],
        out,
        lambda what, *_: said.append(what),
        **options,
    )
    files = [Shelf().encode(scene_of(shift=s), quality=80) for s in (0.0, 1.0)]
    shelf_rows = results["systems"]["shelf"]["rows"]
    row = shelf_rows[1]
    assert row["bytes"] == sum(map(len, files)) / 2 and row["lossy_bytes"] == row["bytes"] - 20
    assert row["bpp"] == pytest.approx(row["bytes"] * 8 / 48**2)
    assert row["sections"]["semantic"]["bpp"] == pytest.approx(20 * 8 / 48**2)
    assert row["tasks"]["semantic"]["exact"] == 1.0 and results["lossless"]["semantic"]["webp_bytes"] > 30
    assert row["tasks"]["rgb"]["psnr"] > shelf_rows[0]["tasks"]["rgb"]["psnr"] > 40
    assert row["psnr_mean"] == pytest.approx(sum(row["tasks"][t]["psnr"] for t in TASKS) / 3)
    assert row["matched"]["ratio"] == pytest.approx(row["lossy_bytes"] / row["matched"]["classical_bytes"])
    assert row["encode_ms"] > 0 and set(row["matched"]["tasks"]) == set(TASKS)
    assert {p["codec"] for p in results["classical"] if p["task"] == "depth"} == {"webp", "jxl", "jxl16"}
    assert len(results["classical"]) == 3 * (2 + 2 + 3) and "jxl16 depth" in said

    stored = json.loads((out / "results.json").read_text())
    assert stored == json.loads(json.dumps(results)) and stored["arguments"] == {"data": "made up"}
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert len(rows) == 2 * (1 + 4) + 21 and rows[0]["task"] == "all" and float(rows[0]["ratio"]) > 0
    assert (out / "rd.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "rd-without-jpeg.png").exists()
    assert rows[0]["system"] == "shelf" and float(rows[1]["mse"]) > 0
    assert format_table(results).row_count == 2
    assert results["bd_rate"]["reference"] == "shelf"

    said.clear()
    again = evaluate(
        {"shelf": Shelf()}, scenes, [20, 80], ["webp", "jxl"], out, lambda w, *_: said.append(w), **options
    )
    assert again["classical"] == results["classical"] and set(said) == {"quality 20", "quality 80"}


def test_evaluate_without_classical_codecs_or_files(scenes: list[SceneFiles]) -> None:
    results = evaluate({"shelf": Shelf()}, scenes, [80], [], None, info=shelf_info, tasks=["rgb", "depth"])
    assert results["systems"]["shelf"]["rows"][0]["matched"] is None and results["classical"] == []
    assert results["bd_rate"] is None and format_bd_rates(results) is None
    assert set(results["tasks"]) == {"rgb", "depth"} and results["lossless"] == {}
    assert format_table(results).row_count == 1


def test_bits_per_pixel_of_all_systems_are_those_of_the_largest_image(tmp_path: Path) -> None:
    scene = scene_of()
    images = {"depth": scene["depth"][::2, ::2], "rgb": scene["rgb"]}
    for name, image in images.items():
        write(tmp_path / "scene" / f"{name}.png", image)
    codec = Codec((), coding="classical", effort="fast")
    grids = {"webp": (10, 90)}
    results = evaluate({"ours": codec}, find_scenes(tmp_path / "scene"), [60], ["webp"], None, grids=grids)
    (row,) = results["systems"]["ours"]["rows"]
    points = results["classical"]
    assert row["bpp"] == pytest.approx(8 * row["bytes"] / 48**2) and {p["task"] for p in points} == {*images}
    for part in (*row["tasks"].values(), *row["sections"].values(), *points):
        assert part["bpp"] == pytest.approx(8 * part["bytes"] / 48**2)


def test_evaluate_several(scenes: list[SceneFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[SceneFiles] = []
    encoded: list[str] = []
    read_scene, encode = report.read_scene, image_codecs.encode

    def reading(files: SceneFiles, *rest: Any) -> Scene:
        read.append(files)
        return read_scene(files, *rest)

    def encoding(codec: str, *rest: Any) -> bytes:
        encoded.append(codec)
        return encode(codec, *rest)

    monkeypatch.setattr(report, "read_scene", reading)
    monkeypatch.setattr(image_codecs, "encode", encoding)
    out = tmp_path / "out"
    about = {"lean": {"architecture": "mixed"}, "fat": {"architecture": "single"}}
    results = evaluate(
        {"lean": Shelf(), "fat": Shelf(400)}, scenes, [0, 20, 80], ["jpeg"], out,
        info=shelf_info, about=about, grids={"jpeg": (10, 90, 97)},
    )  # fmt: skip
    assert read == scenes and encoded == ["jpeg"] * 2 * 3 * 3  # once for scenes, qualities and tasks
    lean, fat = (results["systems"][name]["rows"] for name in ("lean", "fat"))
    assert results["systems"]["lean"]["architecture"] == "mixed"
    assert [b["bytes"] - a["bytes"] for a, b in zip(lean, fat)] == [400, 400, 400]
    rates = results["bd_rate"]
    assert rates["reference"] == "fat" and list(rates["systems"]) == ["lean", "fat", "jpeg"]
    assert rates["systems"]["fat"]["all"]["percent"] == pytest.approx(0)
    lines = total_lines(results, "bytes")
    assert rates["systems"]["lean"]["all"] == bd_rate(lines["fat"], lines["lean"])
    assert -50 < rates["systems"]["lean"]["all"]["percent"] < 0
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert [r["system"] for r in rows] == ["lean"] * 15 + ["fat"] * 15 + ["jpeg"] * 9
    assert format_table(results).row_count == 6 and format_table(results).columns[0].header == "weights"
    pictures = [(out / f"rd{end}.png").read_bytes() for end in ("", "-without-jpeg")]
    assert pictures[0] != pictures[1] and pictures[1] == draw(results, omit=("jpeg",))
    named = evaluate(
        {"lean": Shelf(), "fat": Shelf(400)},
        scenes,
        [0, 80],
        [],
        info=shelf_info,
        about=about,
        reference="lean",
    )
    assert named["bd_rate"]["systems"]["fat"]["all"]["percent"] > 0


def test_evaluate_refuses_names(scenes: list[SceneFiles]) -> None:
    with pytest.raises(UsageError, match="reference 'avif'"):
        evaluate({"shelf": Shelf()}, scenes, [80], ["jpeg"], info=shelf_info, reference="avif")
    with pytest.raises(UsageError, match="'jpeg' here"):
        evaluate({"jpeg": Shelf()}, scenes, [80], [], info=shelf_info)
    with pytest.raises(UsageError, match="at least one"):
        evaluate({}, scenes, [80], [], info=shelf_info)


def test_command_compares_weights(small_weights: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from mtcodec import cli

    data, copy = tmp_path / "data", tmp_path / "copy.safetensors"
    data.mkdir()
    (data / "one").symlink_to(SCENES / "100000")
    copy.write_bytes(small_weights.read_bytes())
    command = ["evaluate", str(data), "--against", "", "--quality", "0,50,100", "--threads", "1", "--weights"]
    done = CliRunner().invoke(
        cli.app, [*command, f"{small_weights},{copy}", "--reference", str(copy), "--json"]
    )
    results = json.loads(done.stdout)
    assert list(results["systems"]) == ["small", "copy"] and results["bd_rate"]["reference"] == "copy"
    assert results["systems"]["copy"]["architecture"] == "conditional"
    assert results["bd_rate"]["systems"]["small"]["all"]["percent"] == pytest.approx(0)
    assert results["systems"]["small"]["rows"][0]["tasks"]["rgb"]["mse"] > 0
    shown = CliRunner().invoke(cli.app, [*command, f"{small_weights},{copy}"])
    assert "BD-rate against small" in shown.stdout and shown.stdout.count("│ copy ") == 4
    twice = CliRunner().invoke(cli.app, [*command, f"{copy},{copy}"])
    assert isinstance(twice.exception, UsageError) and "'copy'" in str(twice.exception)


def test_evaluate_refuses_before_it_starts(scenes: list[SceneFiles], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bpg"):
        evaluate({"shelf": Shelf()}, scenes, [80], ["bpg"], tmp_path / "out", info=shelf_info)
    with pytest.raises(UsageError, match="at least one"):
        evaluate({"shelf": Shelf()}, [], [80], [], None, info=shelf_info)


@pytest.mark.parametrize("missing", ["matplotlib", "scipy", "scipy.interpolate"])
def test_what_is_missing_is_said_before_it_starts(
    missing: str, scenes: list[SceneFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(DependencyError, match=r"pip install 'mtcodec\[evaluate\]'") as caught:
        evaluate({"shelf": Shelf()}, scenes, [80], ["jpeg"], tmp_path / "out", info=shelf_info)
    assert caught.value.exit_code == 1
