"""Matched bytes ratio and BD-rates."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("scipy")

from mtcodec.measure.bd_rate import bd_rate, table
from mtcodec.measure.curves import Point
from mtcodec.measure.lines import Line, front, task_lines, total_lines
from mtcodec.measure.matched import best_at, bytes_at, matched
from mtcodec.measure.tables import format_bd_rates


def point(codec: str, task: str, size: float, psnr: float) -> Point:
    return Point(codec, task, 50, 1, size, size / 8192, psnr, 9.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("psnr", "size", "outside"),
    [
        (30, 100, False),
        (35, 200, False),
        (45, 800, False),
        (50, 1600, False),
        (25, 50, True),
        (55, 3200, True),
    ],
)
def test_bytes_at_interpolates_logarithms(psnr: float, size: float, outside: bool) -> None:
    line = [point("avif", "rgb", 1600, 50), point("avif", "rgb", 100, 30), point("avif", "rgb", 400, 40)]
    beaten = point("avif", "rgb", 900, 39)
    for points in (line, [*line, beaten]):
        interpolated, flag = bytes_at(points, psnr)
        assert interpolated == pytest.approx(size) and flag is outside
    interpolated, flag = bytes_at(line[:1], 40)
    assert interpolated == pytest.approx(1600) and flag


def test_best_codec_prefers_files_that_exist() -> None:
    wide = [point("jpeg", "rgb", 300, 20), point("jpeg", "rgb", 900, 40)]
    steep = [point("jxl", "rgb", 200, 30), point("jxl", "rgb", 800, 31)]
    above = best_at([*wide, *steep], 25)
    assert above[1:] == ("jxl", False) and above[0] == pytest.approx(200)
    assert best_at([*wide, *steep], 40)[1:] == ("jpeg", False)  # beyond the other's end
    low = best_at([*wide, *steep], 19)  # below both: the nearest one, continued
    assert low[1:] == ("jpeg", True) and low[0] == pytest.approx(300 * 3 ** (-1 / 20))


def test_best_codec_and_ratio() -> None:
    points = [
        *(point("avif", "rgb", 100, 30), point("avif", "rgb", 400, 40)),
        *(point("jxl", "rgb", 90, 30), point("jxl", "rgb", 810, 40)),
        *(point("webp", "depth", 50, 40), point("webp", "depth", 200, 50)),
    ]
    assert best_at(points[:4], 30)[1:] == ("jxl", False)
    found = matched(250, {"rgb": 40, "depth": 40}, points)
    assert found is not None
    assert found["ratio"] == pytest.approx(250 / 450) and not found["extrapolated"]
    assert found["tasks"]["rgb"]["codec"] == "avif"
    half = matched(250, {"rgb": 40, "depth": 40}, points, {"depth": 0.5})
    assert half is not None and half["classical_bytes"] == pytest.approx(425)
    low = matched(250, {"rgb": 40, "depth": 39}, points)
    assert low is not None and low["extrapolated"] and low["tasks"]["depth"]["extrapolated"]
    assert matched(250, {"rgb": 40, "normal": 40}, points) is None
    assert matched(250, {}, points) is None


# --- BD-rates ------------------------------------------------------------------------------------

CURVE: Line = [(100, 30), (180, 33.5), (400, 36), (1000, 41), (1500, 42)]


def scaled(factor: float, decibels: float = 0.0) -> Line:
    return [(size * factor, psnr + decibels) for size, psnr in CURVE]


@pytest.mark.parametrize("percent", [10.0, 0.0, -25.0, 300.0])
def test_bd_rate_of_a_curve_with_more_bytes(percent: float) -> None:
    found = bd_rate(CURVE, reversed(scaled(1 + percent / 100)))
    assert found["percent"] == pytest.approx(percent, abs=1e-9)
    assert found["psnr"] == [30, 42] and found["share"] == 1


def test_bd_rate_published_example() -> None:
    """The example of the package ``bjontegaard`` 1.3.0, which gives this number with ``method="pchip"``."""
    anchor = zip([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851])
    test = zip([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987])
    assert bd_rate(anchor, test)["percent"] == pytest.approx(-4.417485350589)


def test_bd_rate_of_straight_lines_over_the_common_interval() -> None:
    reference = [(100 * 2 ** (k / 3), 30.0 + k) for k in range(10)]  # twice the bytes for 3 dB
    test = [(size, psnr + 6) for size, psnr in reference]
    found = bd_rate(reference, test)
    assert found["percent"] == pytest.approx(-75) and found["psnr"] == [36, 39]
    assert found["share"] == pytest.approx(1 / 3)
    assert bd_rate(test, reference)["percent"] == pytest.approx(300)


def test_bd_rate_never_extrapolates() -> None:
    nothing = {"percent": None, "psnr": None, "share": 0.0}
    assert bd_rate(CURVE, scaled(1, 13)) == nothing and bd_rate(CURVE, scaled(1, 12)) == nothing
    assert bd_rate(CURVE, CURVE[:1]) == nothing and bd_rate([], CURVE) == nothing
    assert bd_rate(CURVE, scaled(1, 11.9))["percent"] is not None


def test_bd_rate_leaves_out_beaten_points() -> None:
    beaten = [*CURVE, (500.0, 35.0), (1000.0, 40.0), (2000.0, 42.0)]
    assert front(beaten) == CURVE
    assert bd_rate(CURVE, beaten)["percent"] == pytest.approx(0, abs=1e-9)


def made_up(images: int = 2) -> dict[str, Any]:
    """Results of two systems and a classical codec over two scenes, ``b`` with 20 % more bytes."""
    rows: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}
    for factor, name in ((1.0, "a"), (1.2, "b")):
        for size, psnr in CURVE:
            lossy = {"rgb": {"bytes": size * factor, "bpp": size * factor / 8192, "psnr": psnr + 1}}
            lossy["depth"] = {**lossy["rgb"], "psnr": psnr - 1}
            sizes = {"bytes": 2 * size * factor + 90, "lossy_bytes": 2 * size * factor + 60}
            rows[name].append(
                {
                    **sizes,
                    "overhead_bytes": 60,
                    "bpp": sizes["bytes"] / 8192,
                    "psnr_mean": psnr,
                    "tasks": lossy,
                }
            )
    files = [
        Point("avif", "rgb", q, 2, s + 40, (s + 40) / 8192, p + 1, 1, 1, 1) for q, (s, p) in enumerate(CURVE)
    ]
    files += [
        Point("avif", "depth", q, images, s + 40, (s + 40) / 8192, p - 1, 1, 1, 1)
        for q, (s, p) in enumerate(CURVE)
    ]
    return {
        "scenes": ["x", "y"], "tasks": {"rgb": {}, "depth": {}, "semantic": {}}, "qualities": [0, 1, 2, 3, 4],
        "systems": {name: {"rows": entries} for name, entries in rows.items()},
        "classical": [vars(p) for p in files],
    }  # fmt: skip


def test_bd_rate_table_counts_bytes_alike() -> None:
    results = made_up()
    found = table(results, "a")
    assert found is not None and list(found["systems"]) == ["a", "b", "avif"]
    b, avif = found["systems"]["b"], found["systems"]["avif"]
    assert 10 < b["all"]["percent"] < 20  # the header does not grow
    assert b["tasks"].keys() == {"rgb", "depth"}
    assert all(10 < rate["percent"] < 20 for rate in b["tasks"].values())
    assert avif["all"]["percent"] > 0  # two files of 40 bytes more, and we have one header of 60
    assert all(rate["percent"] < 0 for rate in avif["tasks"].values())
    assert avif["tasks"]["rgb"]["psnr"] == [31, 43]
    against_b = table(results, "b")
    assert against_b is not None
    inverse = 100 / (1 + b["all"]["percent"] / 100) - 100
    assert against_b["systems"]["a"]["all"]["percent"] == pytest.approx(inverse)
    shown = format_bd_rates({**results, "bd_rate": found})
    assert shown is not None and shown.row_count == 3
    assert [column.header for column in shown.columns] == ["system", "all, whole files", "rgb", "depth"]
    percents = [found["systems"][name]["tasks"]["rgb"]["percent"] for name in ("a", "b", "avif")]
    assert list(shown.columns[2].cells) == [f"{percent:+.1f} %" for percent in percents]


def test_lines_of_results() -> None:
    results = made_up(images=1)  # of depth; per scene it costs half
    lines = total_lines(results, "bytes")
    assert lines["a"][0] == (260, 30) and lines["avif"][0] == pytest.approx((140 + 140 / 2, 30))
    assert total_lines(results, "bpp")["a"][0] == pytest.approx((260 / 8192, 30))
    assert total_lines(results, "bpp")["avif"][0] == pytest.approx((210 / 8192, 30))
    depth = task_lines(results, "depth", "bpp")
    assert depth["avif"][0] == pytest.approx((140 / 8192, 29))
    assert depth["a"][0] == pytest.approx((160 / 8192, 29))  # its section, and the header
    results["classical"] = [p for p in results["classical"] if p["task"] == "rgb"]
    assert "avif" not in total_lines(results, "bytes") and "avif" in task_lines(results, "rgb", "bytes")
    found = table(results, "a")
    assert found is not None and found["systems"]["avif"]["all"]["percent"] is None
    assert found["systems"]["avif"]["tasks"]["depth"]["percent"] is None
