"""Cases of archives: pack, unpack, extract, merge, split, sample, and ``mtcodec.Archive``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from contract import disk
from contract.case import SCENES, Case, Items, arrays, digests, form, local
from contract.command import lines, run

import mtcodec

FAST = ("--coding", "classical", "--effort", "fast", "--workers", 1)


def contents(archive: Path, place: Path) -> Items:
    """What is in an archive, and what is said of it."""
    told, printed = run("info", archive, "--json"), run("info", archive)
    about = json.loads(told.text.replace(str(place), "PLACE"))
    held = mtcodec.Archive(archive, numpy=True)
    samples = list(held)
    return {
        "keys": held.keys(), "tasks": held.tasks, "scenes": about["scenes"], "settings": about["settings"],
        "forms": {s["key"]: {n: form(i) for n, i in s.items() if n != "key"} for s in samples},
        "verify": [r.code for r in (run("verify", archive), run("verify", archive, "--decode", "-q"))],
        **local({"files": digests(archive), "info": about, "text": lines(printed.text, place),
                 "samples": [arrays(sample) for sample in samples]}),
    }  # fmt: skip


def packed(place: Path, *options: object, data: Path | None = None) -> Items:
    """A dataset is packed, looked into and unpacked."""
    root = data or disk.dataset(place / "data")
    done = run("pack", root, "-o", place / "archive", *options)
    back = run("unpack", place / "archive", "-o", place / "back", "--workers", 1)
    few = run("unpack", place / "archive", "-o", place / "few", "--workers", 1, "--tasks", "semantic")
    return {
        **contents(place / "archive", place), "codes": [done.code, back.code, few.code],
        "notes": lines(done.err, place), "labels": sorted(digests(place / "few")),
        **local({"printed": lines(done.text, place), "unpacked": digests(place / "back"),
                 "unpack": lines(back.text, place), "labels": digests(place / "few")}),
    }  # fmt: skip


def _bundled(place: Path) -> Items:
    return packed(place, "--quality", 30, "--workers", 1, data=SCENES)


def _neural(place: Path) -> Items:
    options = ("--weights", "clevr", "--coding", "neural", "--quality", 30, "--workers", 1)
    return packed(place, *options, data=SCENES)


def _settings(place: Path) -> Items:
    disk.put(place / "data", {"camera.json": "{}"})
    return packed(place, *FAST, "--max-error", "depth=5mm", "--lossless", "normal", "--unit", "depth=2mm",
                  "--measures", "--attach", "camera.json", "--shard-scenes", 2)  # fmt: skip


def _again(place: Path) -> Items:
    """A run that goes on, one that adds, and those that are refused."""
    data = disk.dataset(place / "data", 2)
    command = ("pack", data, "-o", place / "archive", *FAST, "--json")
    codes = [run(*command).code]
    before = digests(place / "archive")
    codes.append(run(*command).code)
    unchanged = digests(place / "archive") == before
    disk.dataset(data, 4)
    codes += [run(*command).code, run(*command, "--quality", 10).code]
    other = disk.scene(place / "other", 9)
    codes += [run("pack", other, *command[2:]).code, run("pack", other, *command[2:], "--append").code]
    return {"unchanged": unchanged, "codes": codes, **contents(place / "archive", place)}


def _managed(place: Path) -> Items:
    """Archives made of archives."""
    data, archive = disk.dataset(place / "data", 5), place / "archive"
    run("pack", data, "-o", archive, *FAST)
    disk.put(place, {"val.txt": "train/3\ntrain/1\n"})
    commands: dict[str, tuple[object, ...]] = {
        "depth": ("extract", archive, "--tasks", "depth", "-o", place / "depth"),
        "few": ("archive", "sample", archive, "-o", place / "few", "--scenes", 2, "--seed", 3),
        "halves": ("archive", "split", archive, "-o", place / "halves", "--parts", 2),
        "twos": ("archive", "split", archive, "-o", place / "twos", "--scenes", 2),
        "lists": ("archive", "split", archive, "-o", place / "lists", "--keys", place / "val.txt"),
        "twice": ("archive", "merge", archive, place / "few", "-o", place / "twice"),
        "all": ("archive", "merge", archive, place / "few", "-o", place / "all", "--skip-existing"),
        "check": ("archive", "check", archive),
    }
    found: Items = {}
    for name, command in commands.items():
        done = run(*command)
        made = sorted(p.parent for p in place.glob(f"{name}/**/archive.json"))
        keys = {p.relative_to(place).as_posix(): mtcodec.Archive(p, numpy=True).keys() for p in made}
        found[name] = [done.code, keys]
        parts = {str(p.relative_to(place)): digests(p) for p in made}
        found[f"local {name}"] = [parts, lines(done.text, place), lines(done.err, place)]
    return found


def _dataset(place: Path) -> Items:
    """Rows, subsets of tasks, windows, batches, streams, tensors."""
    archive = place / "archive"
    run("pack", disk.dataset(place / "data", 5), "-o", archive, *FAST)
    whole = mtcodec.Archive(archive, numpy=True)
    windows = {str(crop): mtcodec.Archive(archive, ["rgb", "depth"], crop=crop, numpy=True)
               for crop in (16, (8, 40), 64)}  # fmt: skip
    named = mtcodec.Archive(archive, ["semantic"], numpy=True, transform=lambda sample: sorted(sample))
    tensors = mtcodec.Archive(archive, ["depth", "semantic"])[1]
    first = {
        str(n): {name: form(i) for name, i in own[0].items() if name != "key"} for n, own in windows.items()
    }
    return {
        "length": len(whole), "first": first, "transformed": named[0], "last": whole[-1]["key"],
        "tensors": [str(tensors["depth"].dtype), list(tensors["depth"].shape), tensors["key"]],
        "outside": _raised(lambda: whole[5]), "size": _raised(lambda: mtcodec.Archive(archive, crop=0)),
        "task": _raised(lambda: mtcodec.Archive(archive, ["glow"])), **_streams(whole), **_batches(whole),
        **local({"rows": arrays(whole[2]), "windows": {n: arrays(own[1]) for n, own in windows.items()},
                 "tensors": arrays({n: np.asarray(i) for n, i in tensors.items() if n != "key"})}),
    }  # fmt: skip


def _streams(whole: mtcodec.Archive) -> Items:
    stream = whole.stream(shuffle=True, seed=4)
    found = {}
    for epoch in (0, 1):
        stream.set_epoch(epoch)
        found[str(epoch)] = [sample["key"] for sample in stream]
    other = whole.stream(shuffle=True, seed=4)
    other.set_epoch(1)
    begun = iter(other)
    taken = [next(begun)["key"] for _ in range(2)]
    state = other.state_dict()
    resumed = whole.stream(shuffle=True, seed=4)
    resumed.load_state_dict(state)
    rest = [sample["key"] for sample in resumed]
    plain = [sample["key"] for sample in whole.stream()]
    return {"streams": found, "plain": plain, "taken": taken, "state": sorted(state), "rest": rest}


def _batches(whole: mtcodec.Archive) -> Items:
    """The last scene has no depth, so a batch with it has a list."""

    def shown(value: Any) -> Any:
        if not isinstance(value, list):
            return form(value)
        return [v if v is None or isinstance(v, str) else form(v) for v in value]

    alike, mixed = (mtcodec.collate([whole[i] for i in rows]) for rows in ((0, 1), (3, 4)))
    return {"batches": [{name: shown(value) for name, value in batch.items()} for batch in (alike, mixed)]}


def _raised(call: Any) -> str:
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "nothing"


def cases() -> Iterator[Case]:
    yield Case("archives/fast", lambda place: packed(place, *FAST))
    yield Case(
        "archives/exact", lambda place: packed(place, *FAST, "--tasks", "rgb,semantic", "--task", "rgb:data")
    )
    named = (("bundled", _bundled), ("neural", _neural), ("settings", _settings), ("again", _again),
             ("managed", _managed), ("dataset", _dataset))  # fmt: skip
    for name, function in named:
        yield Case(f"archives/{name}", function)
