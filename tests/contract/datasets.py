"""Cases of datasets in every layout: what would be encoded, what is printed, and every file that is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from contract.case import Case, Items, arrays, digests, files, form, local
from contract.command import lines, run, table
from contract.trees import OPTIONS, TREES

import mtcodec

FAST = ("--coding", "classical", "--effort", "fast", "--threads", 1)


def encode(name: str, place: Path) -> Items:
    """The dry run, the run, and the scenes that its files hold."""
    root, out = place / "data", place / "out"
    TREES[name](root)
    command = ("encode", root, "-o", f"{out}/", *FAST, *OPTIONS.get(name, ()))
    dry, done = run(*command, "--dry-run"), run(*command)
    forms, decoded, units = {}, {}, {}
    for file in files(out):
        back = mtcodec.decode(out / file)
        forms[file] = {task: form(image) for task, image in back.items()}
        decoded[file] = arrays(back)
        units[file] = {task: own.get("unit") for task, own in mtcodec.info(out / file)["tasks"].items()}
    return {
        "codes": [dry.code, done.code], "dry": table(dry.text, place), "notes": lines(done.err, place),
        "forms": forms, "units": units,
        **local({"printed": lines(done.text, place), "files": digests(out), "decoded": decoded}),
    }  # fmt: skip


def stats(name: str, place: Path) -> Items:
    """What the dataset is said to hold."""
    TREES[name](place / "data")
    told = run("stats", place / "data", "--no-estimate", "--json")
    printed = run("stats", place / "data", "--no-estimate")
    found: dict[str, Any] = json.loads(told.text.replace(str(place), "PLACE") or "{}")
    kinds = {n: [t["kind"], t["scenes"], t["images"]] for n, t in found.get("tasks", {}).items()}
    return {
        "code": told.code, "kinds": kinds, "notes": lines(told.err, place),
        **local({"json": found, "text": lines(printed.text, place)}),
    }  # fmt: skip


def _single(place: Path) -> Items:
    """Files that hold many scenes may be given alone."""
    for name in ("shards", "tables", "blender"):
        TREES[name](place / name)
    found: Items = {}
    for path in ("shards/shard-000000.tar", "tables/train-00000.parquet", "blender/Image0001.exr"):
        done = run("encode", place / path, "--dry-run", *FAST)
        found[path] = [done.code, *table(done.text, place), *lines(done.err, place)]
    return found


def _names(place: Path) -> Items:
    """Names that users give, and declarations of tasks."""
    for name in ("tasks", "pairs", "aliases"):
        TREES[name](place / name)
    given = {
        "tasks": ("--task", "color:image", "--tasks", "rgb,depth"), "pairs": ("--rename", "png=semantic"),
        "aliases": ("--rename", "image=image", "--task", "image:data", "--rename", "segmentation=instance"),
    }  # fmt: skip
    found: Items = {}
    for name, options in given.items():
        done = run("encode", place / name, "-o", f"{place}/out/{name}/", *FAST, *options)
        found[name] = [done.code, *lines(done.err, place)]
        found[f"local {name}"] = [lines(done.text, place), digests(place / "out" / name)]
    return found


def cases() -> Iterator[Case]:
    for name in TREES:
        yield Case(f"datasets/{name}", partial(encode, name))
        yield Case(f"stats/{name}", partial(stats, name))
    yield Case("datasets/single files", _single)
    yield Case("datasets/names", _names)
