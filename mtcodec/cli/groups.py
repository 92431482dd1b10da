"""Options, each said once with the settings that it sets, and groups of options that commands share.

A command such as ::

    @takes_groups
    def stats(*, dataset: Path = DATASET, bounds: BoundOptions, machine: MachineOptions) -> None: ...

has the options of ``BoundOptions`` and ``MachineOptions`` in its help, and is called with objects of them. It
has ``--strict``, too, of which it need not know: every command has it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, get_type_hints

from typer.models import OptionInfo

from mtcodec.cli.common import warning_count
from mtcodec.cli.report import counted
from mtcodec.errors import MtcodecError


class Option(OptionInfo):
    """An option, and what it sets.

    Attributes:
        fields: names of fields of settings: of encoding, a :class:`~mtcodec.codec.request.Request`.
        parse: makes their values of the option's: one value, or a tuple where there are several fields.
    """

    fields: tuple[str, ...] = ()
    parse: Callable[[Any], Any] | None = None

    def settings(self, value: Any) -> dict[str, Any]:
        """Values by field; UsageError for one that makes no sense."""
        if value is None:
            return {}
        parsed = value if self.parse is None else self.parse(value)
        return dict(zip(self.fields, parsed if len(self.fields) > 1 else [parsed]))


def option(
    default: Any, metavar: str | None, help: str, *flags: str,
    panel: str | None = None, words: Sequence[str] = (), sets: str = "",
    parse: Callable[[Any], Any] | None = None, **more: Any,
) -> Any:  # fmt: skip
    """The default of a parameter that is an option, or of an attribute of a :class:`Group`.

    Args:
        default: its value where it is not given; ``...``: it is required.
        metavar: what help calls its value; None for a switch.
        flags: what it is called, if not as the parameter.
        panel: heading of help under which it stands.
        words: values that a shell completes.
        sets, parse: see :class:`Option`; fields are separated by spaces.
        more: what :class:`OptionInfo` takes.
    """
    info = Option(
        default=default, param_decls=flags, metavar=metavar, help=help, rich_help_panel=panel,
        autocompletion=(lambda: list(words)) if words else None, **more,
    )  # fmt: skip
    info.fields, info.parse = tuple(sets.split()), parse
    return info


class Group:
    """Options that commands share: a subclass has an attribute for each, those of base classes come first.

    ::

        effort: str = option("normal", "EFFORT", "fast, normal, or best.", sets="effort")
    """

    def __init__(self, **values: Any) -> None:
        for name, parameter in self.parameters().items():
            setattr(self, name, values.get(name, _default(parameter)))

    @classmethod
    def parameters(cls) -> dict[str, inspect.Parameter]:
        """The options by name, as parameters of a function."""
        return {
            name: _parameter(name, annotation, getattr(cls, name))
            for name, annotation in get_type_hints(cls).items()
        }

    def settings(self) -> dict[str, Any]:
        """Fields that the options set, see :meth:`Option.settings`; others keep their defaults."""
        fields: dict[str, Any] = {}
        for name, parameter in self.parameters().items():
            if isinstance(parameter.default, Option):
                fields |= parameter.default.settings(getattr(self, name))
        return fields


STRICT = option(
    False, None, "Exit code 1 if there is any warning, such as of images that are left out; outputs are "
    "written all the same.", "--strict",
)  # fmt: skip


def takes_groups(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` as typer wants it: every parameter that is a group is replaced by the group's options.

    The option ``--strict`` is added. With it, the command raises MtcodecError after its work if it has shown
    warnings.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Group]] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        group = parameter.annotation
        if isinstance(group, type) and issubclass(group, Group):
            groups[name] = group
            parameters += group.parameters().values()
        else:
            parameters.append(_parameter(name, group, parameter.default))
    parameters.append(_parameter("strict", bool, STRICT))

    @functools.wraps(function)
    def command(**values: Any) -> None:
        values = {parameter.name: _default(parameter) for parameter in parameters} | values
        filled = {
            name: group(**{option: values.pop(option) for option in group.parameters()})
            for name, group in groups.items()
        }
        is_strict, warnings_before = values.pop("strict"), warning_count()
        function(**values, **filled)
        warnings = warning_count() - warnings_before
        if is_strict and warnings:
            raise MtcodecError(f"{counted(warnings, 'warning')}, which --strict makes an error")

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """A parameter of a command; an option without another flag is called as its parameter."""
    if isinstance(default, Option) and not default.param_decls:
        default = copy(default)  # which other commands may have under another name
        default.param_decls = (f"--{name.replace('_', '-')}",)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _default(parameter: inspect.Parameter) -> Any:
    """The value of an option that is not given."""
    return getattr(parameter.default, "default", parameter.default)
