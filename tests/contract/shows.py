"""Cases of the commands that measure, show and help; and of commands as processes of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from contract import disk
from contract.case import Case, Items, digest, digests, local
from contract.command import lines, run, start
from contract.commands import FAST, names, told

import mtcodec


def _compare(place: Path) -> Items:
    scene = disk.scene(place / "scene")
    run("encode", scene, "-o", place / "x.mtc", *FAST)
    run("decode", place / "x.mtc", "-o", place / "back")
    found: Items = {}
    for name, own in {"file": ("x.mtc",), "images": ("back",), "depth": ("x.mtc", "--tasks", "depth"),
                      "below": ("x.mtc", "--fail-below", "rgb=90")}.items():  # fmt: skip
        for item, value in told(
            place, "compare", scene, place / own[0], *own[1:], "--json", json_lines=True
        ).items():
            found[f"local {name}: {item}" if item.startswith("local") else f"{name}: {item}"] = value
        found[f"local {name}: text"] = lines(run("compare", scene, place / own[0], *own[1:]).text, place)
    return found


def _compare_function(place: Path) -> Items:
    one, other = (
        disk.small(seed=1),
        mtcodec.decode(mtcodec.encode(disk.small(seed=1), 40, coding="classical")),
    )
    measured = mtcodec.compare(one, other)
    return {"names": names(measured), **local({"measured": json.loads(json.dumps(measured))})}


def _view(place: Path) -> Items:
    scene = disk.scene(place / "scene")
    run("encode", scene, "-o", place / "x.mtc", *FAST)
    done = run("view", place / "x.mtc", "--original", scene, "-o", place / "x.html")
    page = (place / "x.html").read_text()
    return {
        "code": done.code,
        "begins": page[:15],
        **local({"page": digest(page.encode()), "out": lines(done.text, place)}),
    }


def _weights(place: Path) -> Items:
    listed, shown = run("weights", "list"), run("weights", "show", "clevr", "--json")
    paper = run("weights", "show", "general")
    return {
        "codes": [listed.code, shown.code, paper.code], "names": names(json.loads(shown.text)),
        "list": lines(listed.text, place), "shown": lines(shown.text, place),
        "text": lines(paper.text, place),
    }  # fmt: skip


HELPS = ("", "encode", "decode", "info", "extract", "view", "stats", "pack", "unpack", "verify", "archive",
         "archive merge", "archive split", "archive sample", "archive check", "compare", "bench", "evaluate",
         "analyze", "train", "weights", "weights list", "weights show")  # fmt: skip


def _helps(place: Path) -> Items:
    return {f"help {name}".strip(): run(*name.split(), "--help").code for name in HELPS}


def _processes(place: Path) -> Items:
    """A few commands as processes of their own."""
    scene = disk.scene(place / "scene")
    done = {
        "version": start("--version"), "nothing": start(),
        "encode": start("encode", scene, "-o", place / "x.mtc", "-q", *FAST),
        "info": start("info", place / "x.mtc", "--json"),
        "damaged": start("info", "-", stdin=b"no"), "usage": start("encode", scene, "--frobnicate"),
    }  # fmt: skip
    data = disk.dataset(place / "data", 2)
    alone, both = (start("encode", data, "-o", place / n, "-j", n, "-q", *FAST) for n in ("1", "2"))
    return {
        "jobs": [alone.code, both.code, digests(place / "1") == digests(place / "2")],
        "codes": {name: r.code for name, r in done.items()}, "version": done["version"].text.strip(),
        "info": json.loads(done["info"].text)["height"], "quiet": [done["encode"].text, done["encode"].err],
    }  # fmt: skip


def _estimate(place: Path) -> Items:
    data = disk.dataset(place / "data", 2)
    return told(
        place,
        "stats",
        data,
        "--quality",
        "20,70",
        "--coding",
        "classical",
        "--effort",
        "fast",
        "--json",
        json_lines=True,
    )


CASES: dict[str, Callable[[Path], Items]] = {
    "compare": _compare, "compare function": _compare_function, "view": _view, "weights": _weights,
    "helps": _helps, "processes": _processes, "estimate": _estimate,
}  # fmt: skip


def cases() -> Iterator[Case]:
    for name, function in CASES.items():
        yield Case(f"shows/{name}", function)
