"""``mtcodec encode`` of one scene: settings, targets, what is kept and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SCENES
from shared.commands import Run, codings, fails, image, write

import mtcodec
from mtcodec.container.header import parse

SCENE = SCENES / "100020"
FAST = ("--coding", "classical", "--effort", "fast")
Pixels = dict[str, np.ndarray]


@pytest.fixture
def scene(tmp_path: Path, pixels: Pixels) -> Path:
    """A directory of small images."""
    for name, values in pixels.items():
        write(tmp_path / "scene" / f"{name}.png", values)
    return tmp_path / "scene"


@pytest.fixture
def encode(run: Run, scene: Path, tmp_path: Path) -> Any:
    """Encodes ``scene`` to x.mtc without networks; gives what ``--json`` prints, and what is said."""

    def encode(*options: object, coding: tuple[str, ...] = FAST) -> dict[str, Any]:
        done = run("encode", scene, "-o", tmp_path / "x.mtc", "--force", "--json", *coding, *options)
        assert done.code == 0, done
        return {**json.loads(done.out), "said": done.err}

    return encode


@pytest.fixture
def decoded(run: Run, tmp_path: Path) -> Any:
    """Images of x.mtc as decoding writes them."""

    def decoded() -> Pixels:
        done = run("decode", tmp_path / "x.mtc", "-o", tmp_path / "back", "--force")
        assert done.code == 0, done
        return {Path(line).stem: image(Path(line)) for line in done.lines}

    return decoded


def without_measures(facts: dict[str, Any]) -> dict[str, Any]:
    """What ``encode --json`` prints, but for what only the encoder knows."""
    keys = ("height", "width", "bytes", "bpp", "sections", "unit")
    tasks = {
        name: {k: v for k, v in facts_of_task.items() if k in keys}
        for name, facts_of_task in facts["tasks"].items()
    }
    return {**{k: v for k, v in facts.items() if k != "said"}, "tasks": tasks}


def test_tasks_and_qualities_are_chosen_and_info_prints_the_same(
    encode: Any, run: Run, tmp_path: Path
) -> None:
    facts = encode("--tasks", "depth, semantic", "--quality", 20, "--quality", "depth=70", "--threads", 1,
                   "--device", "cpu", coding=("--coding", "neural"))  # fmt: skip
    assert without_measures(facts) == json.loads(run("info", tmp_path / "x.mtc", "--json").out)
    assert list(facts["tasks"]) == ["depth", "semantic"] and facts["quality"] == 20
    assert {s["name"]: s.get("quality") for s in facts["sections"]}["depth"] == 70
    assert "psnr" in facts["tasks"]["depth"] and facts["tasks"]["semantic"].get("exact", 1.0) == 1.0


def test_a_higher_quality_is_larger_and_better(encode: Any) -> None:
    low, high = encode("--quality", 10), encode("--quality", 90)
    assert low["bytes"] < high["bytes"]
    for task in ("rgb", "depth", "normal"):
        assert low["tasks"][task]["psnr"] < high["tasks"][task]["psnr"]


def test_the_printed_weights_are_those_asked_for(
    scene: Path, small_weights: Path, tmp_path: Path, run: Run
) -> None:
    command = ("encode", scene, "-o", tmp_path / "x.mtc", "--coding", "neural", "--force", "--weights")
    fingerprint = parse(run("encode", scene, "-o", "-", "--coding", "neural").out).fingerprint
    for weights in (small_weights, "general"):
        assert f"weights {weights} ({fingerprint})" in run(*command, weights).lines[0]
    (tmp_path / "own.safetensors").write_bytes(small_weights.read_bytes())
    assert f"weights {tmp_path}/own.safetensors (" in run(*command, tmp_path / "own.safetensors").lines[0]


# --- what nobody declared -----------------------------------------------------------------------


def test_unknown_images_come_back_exactly_and_a_line_says_so(
    scene: Path, encode: Any, decoded: Any, run: Run, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 40000, (64, 80, 3)).astype(np.uint16)
    write(scene / "smell.png", noise)
    facts = encode()
    assert facts["said"].splitlines() == [
        f"mtcodec: note: {scene}: smell: nobody says what it is, so it is kept exactly (--task smell:image)"
    ]
    assert np.array_equal(decoded()["smell"], noise)
    exact = facts["tasks"]["smell"]["bytes"]

    facts = encode("--task", "smell:image")
    assert facts["said"].count("\n") <= 1 and "kept exactly" not in facts["said"]
    assert codings(tmp_path / "x.mtc")["smell"] == "classical" and facts["tasks"]["smell"]["bytes"] < exact
    assert 0 < np.abs(decoded()["smell"].astype(int) - noise).max() < 40000
    assert run("encode", scene, "-o", tmp_path / "quiet.mtc", *FAST, "-q") == (0, b"", "")


def test_images_get_other_names(scene: Path, encode: Any, run: Run, tmp_path: Path) -> None:
    (scene / "normal.png").rename(scene / "Richtung.png")
    facts = encode("--rename", "Richtung=normal")
    assert facts["said"] == "" and list(facts["tasks"]) == ["depth", "normal", "rgb", "semantic"]
    (scene / "rgb.png").rename(scene / "colour.png")
    said = encode("--rename", "Richtung=normal", "--rename", "nothing=rgb")["said"]
    assert "colour is read as rgb" in said and "nothing is called nothing (--rename)" in said
    for value, message in (("colour", "not another name: 'colour'"), ("colour=No", "not a task name: 'No'")):
        fails(run("encode", scene, "-o", tmp_path / "y.mtc", "--rename", value), 2, message)


def test_alpha_is_kept(scene: Path, pixels: Pixels, encode: Any, decoded: Any) -> None:
    alpha = np.full((64, 80), 255, np.uint8)
    write(scene / "rgb.png", np.dstack([pixels["rgb"], alpha]))
    assert "rgb: its alpha says that all is opaque, and is dropped" in encode()["said"]
    alpha[:9, :30] = 7
    write(scene / "rgb.png", np.dstack([pixels["rgb"], alpha]))
    assert "kept as a task of its own, rgb_alpha" in encode()["said"]
    assert np.array_equal(decoded()["rgb_alpha"], alpha)


# --- errors, units, holes -----------------------------------------------------------------------


def test_bounds_holes_and_lossless_tasks(
    scene: Path, pixels: Pixels, encode: Any, decoded: Any, run: Run, tmp_path: Path
) -> None:
    depth = pixels["depth"]
    depth[10:60, 20:50], depth[0, :5] = 0, 9999
    write(scene / "depth.png", depth)
    encode("--max-error", "depth=1mm", "--unit", "depth=0.25mm", "--invalid", "depth=9999",
           "--lossless", "normal", coding=("--coding", "neural"))  # fmt: skip
    assert codings(tmp_path / "x.mtc") == {
        "depth": "near-lossless", "normal": "near-lossless", "rgb": "neural", "semantic": "labels",
    }  # fmt: skip
    back = decoded()
    for value in (0, 9999):
        assert np.array_equal(back["depth"] == value, depth == value)
    assert 0 < abs(back["depth"].astype(int) - depth).max() <= 4
    assert np.array_equal(back["normal"], pixels["normal"])
    (line,) = (text for text in run("info", tmp_path / "x.mtc").lines if "to decode depth" in text)
    assert line.endswith("  unit 0.25mm")


def test_every_lossless_counts(pixels: Pixels, encode: Any, decoded: Any) -> None:
    encode("--lossless", "normal", "--lossless", "depth")
    back = decoded()
    assert all(np.array_equal(back[task], pixels[task]) for task in ("normal", "depth"))


def test_holes_can_be_values_like_others(scene: Path, pixels: Pixels, encode: Any, decoded: Any) -> None:
    depth = pixels["depth"]
    depth[10:60, 20:50] = 0
    write(scene / "depth.png", depth)
    assert "holes0" in encode()["tasks"]["depth"]["sections"]
    assert np.array_equal(decoded()["depth"] == 0, depth == 0)
    assert encode("--invalid", "none")["tasks"]["depth"]["sections"] == ["depth"]
    facts = encode("--invalid", "none", "--invalid", "depth=0")
    assert facts["tasks"]["depth"]["sections"] == ["holes0", "depth"]


def test_a_far_plane_is_a_hole_and_a_line_says_so(scene: Path, encode: Any, decoded: Any) -> None:
    metres = image(scene / "depth.png").astype(np.float32) / 1000
    metres[:20] = 1e10
    (scene / "depth.png").unlink()
    np.save(scene / "depth.npy", metres)
    said = "depth: 1e+10 is taken for a far plane, without measurement (--invalid none)"
    assert encode(coding=())["said"] == f"mtcodec: note: {scene}: {said}\n"
    back = decoded()["depth"]
    assert np.array_equal(back == 1e10, metres == 1e10)
    assert np.abs(back[20:] / metres[20:] - 1).max() < 0.01  # at 7 to 25 m
    assert encode("--invalid", "none")["said"].count("far plane") == 0
    assert not np.array_equal(decoded()["depth"] == 1e10, metres == 1e10)


@pytest.mark.parametrize("options", [(), ("--coding", "neural")], ids=["classical", "neural"])
def test_printed_measures_leave_out_holes(
    scene: Path, pixels: Pixels, encode: Any, decoded: Any, run: Run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """PSNR, depth errors in its unit and degrees of normals, as computed here from the decoded images."""
    depth, normal = pixels["depth"], pixels["normal"]
    depth[:, :30], depth[5:9] = 777, 0
    normal[:7, 5:], normal[:3] = (1, 2, 3), 128
    write(scene / "depth.png", depth)
    write(scene / "normal.png", normal)
    facts = encode("--invalid", "depth=777", "--invalid", "normal=1,2,3", "--measures", "--unit", "depth=2mm",
                   coding=options or FAST)  # fmt: skip
    back, measures = decoded(), facts["tasks"]

    valid = (depth != 777) & (depth != 0)
    true, seen = depth[valid].astype(float), back["depth"][valid].astype(float)
    rmse = np.sqrt(np.mean((seen - true) ** 2))
    assert measures["depth"]["rmse"] == pytest.approx(rmse, rel=1e-4)
    assert measures["depth"]["max_error"] == np.abs(seen - true).max()
    assert measures["depth"]["abs_rel"] == pytest.approx(np.mean(np.abs(seen - true) / true), rel=1e-4)
    assert measures["depth"]["psnr"] == pytest.approx(20 * np.log10(np.ptp(true) / rmse), abs=1e-3)

    valid = ~((normal == (1, 2, 3)).all(-1) | (normal == 128).all(-1))
    true, seen = normal[valid].astype(float), back["normal"][valid].astype(float)
    psnr = 10 * np.log10(255**2 / np.mean((seen - true) ** 2))
    assert measures["normal"]["psnr"] == pytest.approx(psnr, abs=1e-3)
    true, seen = (v / 255 * 2 - 1 for v in (true, seen))
    cosine = (true * seen).sum(-1) / np.linalg.norm(true, axis=-1) / np.linalg.norm(seen, axis=-1)
    angle = np.degrees(np.arccos(cosine.clip(-1, 1))).mean()
    assert measures["normal"]["angle_deg"] == pytest.approx(angle, rel=1e-4)

    stored = json.loads(run("info", tmp_path / "x.mtc", "--json").out)["tasks"]
    for task in ("rgb", "depth", "normal"):
        for name, value in measures[task].items():
            assert stored[task][name] == (
                pytest.approx(value, rel=1e-4) if isinstance(value, float) else value
            )
    shown = {line.split()[2]: line for line in run("info", tmp_path / "x.mtc").lines if "to decode" in line}
    text = f"RMSE {f'{2e-3 * rmse:.3g} m' if rmse >= 500 else f'{2 * rmse:.3g} mm'}"
    assert text in shown["depth:"] and f"{measures['depth']['psnr']:.1f} dB" in shown["depth:"]
    assert f"{angle:.2f}°" in shown["normal:"]


# --- targets ------------------------------------------------------------------------------------


def test_targets_are_reached(encode: Any) -> None:
    low, high = encode("--quality", 0), encode("--quality", 100)
    middle = (low["bytes"] + high["bytes"]) // 2
    reached = encode("--target-bytes", middle)
    assert 0.8 * middle < reached["bytes"] <= middle and reached["said"] == ""
    assert encode("--target-bpp", 8 * middle / (64 * 80))["bytes"] == reached["bytes"]
    wanted = (low["tasks"]["rgb"]["psnr"] + high["tasks"]["rgb"]["psnr"]) / 2
    reached = encode("--target-psnr", f"rgb={wanted}")
    assert wanted <= reached["tasks"]["rgb"]["psnr"] < wanted + 1  # settings of AV1 are that far apart
    assert reached["said"] == ""


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("--target-psnr rgb=98", "out of reach: rgb "),
        ("--target-bytes 9", " bytes at least, not 9"),
        ("--target-bpp 0.001", " bytes at least, not 1"),
    ],
)
def test_targets_out_of_reach_write_no_file_unless_the_nearest_is_wanted(
    target: str, message: str, scene: Path, tmp_path: Path, run: Run
) -> None:
    command = ("encode", scene, "-o", tmp_path / "x.mtc", *FAST, *target.split())
    fails(run(*command), 1, f"{scene}: ", message, "(--best-effort takes that)")
    assert not (tmp_path / "x.mtc").exists()
    done = run(*command, "--best-effort")
    assert (done.code, done.err.count("out of reach")) == (0, 1) and message in done.err
    end = 100 if "psnr" in target else 0
    nearest = run("encode", scene, "-o", "-", *FAST, "--quality", end).out
    assert (tmp_path / "x.mtc").read_bytes() == nearest


REFUSED = [
    ("--max-error depth", "not a bound: 'depth'"),
    ("--max-error depth=far", "not a number, or a length"),
    ("--max-error depth=-1", "not a number, or a length"),
    ("--max-error rgb=5mm", "task rgb: has no lengths"),
    ("--max-error albedo=1", "settings for task 'albedo', which no scene has"),
    ("--lossless albedo", "settings for task 'albedo', which no scene has"),
    ("--quality albedo=3", "settings for task 'albedo', which no scene has"),
    ("--unit albedo=3mm", "settings for task 'albedo', which no scene has"),
    ("--invalid albedo=3", "settings for task 'albedo', which no scene has"),
    ("--target-psnr albedo=3", "settings for task 'albedo', which no scene has"),
    ("--max-error depth=1 --lossless depth", "cannot be lossless and have a bound"),
    ("--unit depth=3", "a unit is a length"),
    ("--unit depth=0mm", "a unit is a length"),
    ("--unit depth", "not a unit: 'depth'"),
    ("--unit rgb=1mm", "a unit for task 'rgb', which the scene lacks or which has no lengths"),
    ("--invalid depth=x", "not the value of a hole"),
    ("--invalid nothing", "not the value of a hole"),
    ("--invalid depth=1,2", "a hole of 2 numbers"),
    ("--invalid semantic=0", "stores exactly"),
    ("--target-psnr rgb", "not a PSNR: 'rgb'"),
    ("--target-psnr rgb=high", "not a PSNR in dB: 'high'"),
    ("--target-psnr rgb=nan", "not a PSNR in dB: 'nan'"),
    ("--target-psnr depth=40 --target-psnr rgb=inf", "not a PSNR in dB: 'inf'"),
    ("--target-psnr semantic=40", "stores exactly"),
    ("--target-bytes 900 --quality 50", "only one of them"),
    ("--target-bytes 900 --target-bpp 1", "only one of them"),
    ("--quality 101", "quality must be 0 to 100, not 101"),
    ("--quality nan", "quality must be 0 to 100, not nan"),
    ("--quality depth=-1", "quality must be 0 to 100, not -1"),
    ("--quality good", "not a quality: 'good'"),
    ("--quality 1 --quality 2", "more than one general quality"),
    ("--quality semantic=9", "a quality for task 'semantic', which the scene lacks or stores exactly"),
    ("--coding psychic", "not 'psychic', but one of auto, neural, classical"),
    ("--effort none", "not 'none', but one of fast, normal, best"),
    ("--device abacus", "device must be cpu or cuda, not 'abacus'"),
    ("--task smell", "not a declaration: 'smell' (name:kind)"),
    ("--task smell:odour", "task smell: unknown kind 'odour' (known: color, "),
    ("--task rgb:image:99", "task rgb: channels must be 1 to 16, not 99"),
    ("--task shared:image", "not a task name: 'shared'"),
    ("--tasks rgb,rgb", "not a list of different names: 'rgb,rgb'"),
    ("--tasks rgb,", "not a list of different names: 'rgb,'"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[options for options, _ in REFUSED])
def test_senseless_settings_return_2_and_write_nothing(
    options: str, message: str, scene: Path, tmp_path: Path, run: Run
) -> None:
    fails(run("encode", scene, "-o", tmp_path / "x.mtc", *options.split()), 2, message)
    assert not (tmp_path / "x.mtc").exists()


# --- files and streams --------------------------------------------------------------------------


def test_images_that_come_back_as_mush_are_warned_of(scene: Path, tmp_path: Path, run: Run) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3)).astype(np.uint8)
    write(scene / "rgb.png", noise)
    for quiet in ((), ("--quiet",)):
        done = run("encode", scene, "-o", tmp_path / "x.mtc", "--quality", 5, *FAST, "--force", *quiet)
        assert (
            done.code == 0
            and "hardly usable: " in done.err
            and "rgb 10" in done.err
            and "--max-error" in done.err
        )
    assert (
        run("encode", scene, "-o", tmp_path / "x.mtc", "--lossless", "rgb", *FAST, "--force", "-q").err == ""
    )


def test_standard_output_takes_the_place_of_a_file(data: bytes, run: Run) -> None:
    encoded = run("encode", SCENE, "--tasks", "semantic", "-o", "-")
    assert encoded == (0, mtcodec.extract(data, ["semantic"]), "")


def test_the_default_is_that_of_the_python_functions(
    scene: Path, pixels: Pixels, tmp_path: Path, run: Run
) -> None:
    assert run("encode", scene, "-o", tmp_path / "x.mtc").code == 0
    assert (tmp_path / "x.mtc").read_bytes() == mtcodec.encode(dict(sorted(pixels.items())))


def test_the_shipped_weights_are_the_default(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MTCODEC_WEIGHTS")
    path = tmp_path / "scene.mtc"
    assert "weights clevr (" in run("encode", SCENE, "-o", path, "--coding", "neural").lines[0]
    assert run("decode", path, "--tasks", "depth").lines == [str(tmp_path / "scene.decoded" / "depth.png")]


def test_a_unit_that_is_assumed_is_told(scene: Path, run: Run, tmp_path: Path) -> None:
    """Once, whether it matters to a bound or only to errors that are printed; never where it is told."""
    warning = f"mtcodec: warning: {scene}: depth: nobody tells its unit, so a stored 1 is taken for 1mm"
    for settings, count in (
        (("--max-error", "depth=5mm"), 1),
        ((), 1),
        (("--unit", "depth=1mm"), 0),
        (("--lossless", "depth"), 0),
    ):
        for quiet in ((), ("-q",)):
            done = run("encode", scene, "-o", tmp_path / "u.mtc", "--force", "--coding", "classical",
                       *settings, *quiet)  # fmt: skip
            is_bound = "--max-error" in settings
            assert done.err.count(warning) == (count if is_bound or not quiet else 0), done.err
