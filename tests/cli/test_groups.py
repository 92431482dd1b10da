"""Groups of options: what commands take of them, and what they ask for."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from mtcodec.cli import encode, options, train
from mtcodec.cli.groups import Group, Option, option, takes_groups
from mtcodec.codec.request import Request
from mtcodec.errors import UsageError
from mtcodec.tasks import USUAL
from mtcodec.train.plan import Plan

NAME = option(..., "NAME", "A name.", "-n", "--rename")


class Base(Group):
    total_count: int = option(3, "N", "A number.", sets="target_bytes")


class Derived(Base):
    name: str = NAME


def all_groups(group: type[Group] = Group) -> list[type[Group]]:
    """Those that commands have."""
    below = [each for child in group.__subclasses__() for each in all_groups(child)]
    return [each for each in (group, *below) if each.__module__.startswith("mtcodec.cli.")]


def test_a_command_has_the_options_of_its_groups_in_their_place() -> None:
    calls = []

    @takes_groups
    def command(*, first: str = NAME, group: Derived, last: str = NAME, quiet: bool = False) -> None:
        """What it does."""
        calls.append((first, group.total_count, group.name, last, quiet))

    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["first", "total_count", "name", "last", "quiet", "strict"]
    assert command.__doc__ == "What it does."
    count, name = parameters["total_count"], parameters["name"]
    assert (count.annotation, count.default.default, count.default.param_decls) == (
        int,
        3,
        ("--total-count",),
    )
    assert (name.annotation, name.default.default, name.default.param_decls) == (str, ..., ("-n", "--rename"))
    command(first="a", total_count=5, name="b", last="c")
    command(first="a", name="b", last="c", quiet=True)
    assert calls == [("a", 5, "b", "c", False), ("a", 3, "b", "c", True)]


def test_a_shared_option_is_called_as_each_parameter_that_it_is_the_default_of() -> None:
    count = option(3, "N", "A number.")

    @takes_groups
    def command(*, large_crops: int = count, crops: int = count) -> None: ...

    flags = [parameter.default.param_decls for parameter in inspect.signature(command).parameters.values()]
    assert flags == [("--large-crops",), ("--crops",), ("--strict",)]


def test_an_option_of_two_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="duplicate parameter name"):

        @takes_groups
        def command(*, base: Base, derived: Derived) -> None: ...


def test_options_that_are_not_given_have_their_defaults() -> None:
    assert Derived(name="x").total_count == 3
    assert Derived(name="x").settings() == {"target_bytes": 3}
    assert options.QualityOptions().settings() == {}


def test_what_options_set_are_fields_of_requests_and_plans() -> None:
    assert {encode.TargetOptions, options.EncodingOptions, train.PlanOptions} <= set(all_groups())
    for group in all_groups():
        settings = Plan if group.__module__ == train.__name__ else Request
        known = {field.name for field in fields(settings)}
        for parameter in group.parameters().values():
            if isinstance(parameter.default, Option):
                assert set(parameter.default.fields) <= known


def test_groups_ask_for_what_their_texts_say() -> None:
    request = options.request_of(
        encode.TargetOptions(target_psnr=["rgb=38"], best_effort=True),
        options.QualityOptions(quality=["high", "depth=20"]),
        options.BoundOptions(max_error=["depth=5mm"], lossless=["normal"]),
        options.ImageOptions(
            declarations=["smell:image"], units=["depth=2mm"], hole_values=["none", "depth=9"]
        ),
        options.EncodingOptions(effort="fast", measures=True),
    )
    assert request == Request(
        quality=78.0, task_quality={"depth": 20.0}, max_error={"depth": "5mm", "normal": 0.0},
        invalid={"depth": [(9.0,)]}, usual_holes=False, target_psnr={"rgb": 38.0}, best_effort=True,
        effort="fast", tasks=request.tasks, units={"depth": "2mm"}, measures=True,
    )  # fmt: skip
    assert list(request.tasks) == [*USUAL, "smell"]
    unset = [group() for group in all_groups() if group.__module__ == options.__name__]
    assert options.request_of(*unset) == Request()
    with pytest.raises(UsageError, match="'rgb' cannot be lossless and have a bound"):
        options.request_of(options.BoundOptions(max_error=["rgb=2"], lossless=["rgb"]))
