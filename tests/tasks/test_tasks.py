"""Declarations of tasks, and lengths as people write them."""

from __future__ import annotations

import pytest

from mtcodec.errors import UsageError
from mtcodec.tasks import ALIASES, KINDS, USUAL, Task, declare, parse, units

DEPTH, RGB = USUAL["depth"], USUAL["rgb"]


def test_usual_tasks_are_what_their_kinds_say() -> None:
    for name, task in USUAL.items():
        assert task.name == name and task.kind is KINDS[task.kind.name] and task.channels in (1, 3)
        assert Task.from_json(task.to_json()) == task
    assert {*ALIASES.values()} <= {*USUAL}
    assert USUAL["semantic"].exact and not DEPTH.exact
    assert (
        DEPTH.uses_scene_range("uint16")
        and RGB.uses_scene_range("float32")
        and not RGB.uses_scene_range("uint16")
    )


def test_lists_of_tasks() -> None:
    found = parse("rgb, albedo:image,flow:data:2", USUAL)
    assert found == [RGB, declare("albedo", "image", 3), declare("flow", "data", 2)]
    assert parse(["depth"], USUAL) == [DEPTH]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("smell", "unknown task 'smell' .known: rgb, depth"), ("smell:odour", "smell: unknown kind 'odour'"),
        ("rgb,rgb", "named twice"), ("a:image:3:4", "not a task: 'a:image:3:4'"), ("a:image:x", "not a task"),
        ("a:image:99", "channels must be 1 to 16"), ("a:categories:2", "categories have one channel"),
        ("A:image", "not a task name"), (":image", "not a task name"),
    ],
)  # fmt: skip
def test_refuses_lists(items: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(items, USUAL)


@pytest.mark.parametrize(
    "name", ["", "a" * 32, "1a", "a-b", "é", "a\n", "shared", "notes", "holes", "holes0", "holes12"]
)
def test_refuses_names(name: str) -> None:
    with pytest.raises(UsageError, match="not a task name"):
        Task(name, "image")
    assert Task("mask", "categories", 1).exact and Task("holes_of_trees", "image").channels == 3


def test_refuses_channels_and_dtypes() -> None:
    for channels in (2.0, "3", None, 0, 17):
        with pytest.raises(UsageError, match="channels must be 1 to 16"):
            Task("smell", "image", channels)  # type: ignore[arg-type]
    for dtypes in ((), ("complex64",)):
        with pytest.raises(UsageError, match="dtypes must be among"):
            Task("smell", "image", 3, dtypes)


@pytest.mark.parametrize(
    ("dtype", "text", "step", "expected"),
    [
        ("uint16", "5mm", "", 5), ("uint16", "5 mm", "0.2mm", 25), ("uint16", "0.1m", "1cm", 10),
        ("uint16", "7", "", 7), ("float32", "5mm", "", 0.005), ("float32", "5mm", "1mm", 5),
        ("float32", "1e-2m", "", 0.01), ("float16", "1cm", "", 0.01), ("int32", "1cm", "", 10),
    ],
)  # fmt: skip
def test_lengths(dtype: str, text: str, step: str, expected: float) -> None:
    assert units.stored(DEPTH, dtype, text, step) == pytest.approx(expected, rel=1e-9)
    assert units.stored(DEPTH, dtype, expected, step) == expected


@pytest.mark.parametrize("text", ["", "mm", "-5mm", "5 inches", "nan", "1e999x"])
def test_refuses_lengths(text: str) -> None:
    with pytest.raises(UsageError, match="not a number, or a length"):
        units.stored(DEPTH, "uint16", text)


def test_only_depth_has_lengths() -> None:
    with pytest.raises(UsageError, match="task rgb: has no lengths"):
        units.stored(RGB, "uint8", "5mm")
    with pytest.raises(UsageError, match="task depth: a step is a length"):
        units.metres_of(DEPTH, "uint16", "5")


def test_lengths_are_shown_as_people_read_them() -> None:
    assert units.shown(DEPTH, "uint16", 3.25) == "3.25 mm"
    assert units.shown(DEPTH, "float32", 1.5) == "1.5 m"
    assert units.shown(DEPTH, "uint16", 5, "1cm") == "50 mm"
    assert units.shown(RGB, "uint8", 5) == "5"
    assert units.unit_of(DEPTH, "float16") == "1m" and units.unit_of(DEPTH, "int32") == "1mm"
    assert units.unit_of(RGB, "uint8") == ""
