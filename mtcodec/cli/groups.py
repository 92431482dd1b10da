"""Groups of options: said once in a class, and taken whole by the commands that name the class.

A command such as ::

    @takes_groups
    def stats(*, dataset: Dataset, bounds: BoundOptions, machine: MachineOptions) -> None: ...

has the options of ``BoundOptions`` and ``MachineOptions`` in its help, and is called with objects of them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints


class Sets:
    """Which fields of settings an option sets: of encoding, a :class:`~mtcodec.codec.request.Request`.

    Attributes:
        fields: names of the fields.
        parse: makes their values of the option's: one value, or a tuple where there are several fields.
    """

    def __init__(self, *fields: str, parse: Callable[[Any], Any] = lambda value: value) -> None:
        self.fields = fields
        self.parse = parse

    def settings(self, value: Any) -> dict[str, Any]:
        """Values by field.

        Raises:
            UsageError: a value that makes no sense.
        """
        parsed = self.parse(value)
        return dict(zip(self.fields, parsed if len(self.fields) > 1 else [parsed]))


class Group:
    """Options that commands share.

    A subclass declares each option in a line, as functions of typer do, with what it sets, if it sets
    something::

        effort: Annotated[str, typer.Option("--effort", help="..."), Sets("effort")] = "normal"

    Options of base classes come first. An option without a default is required.
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)  # what is not among them has its default, which the class has

    @classmethod
    def parameters(cls) -> dict[str, inspect.Parameter]:
        """The options by name, as parameters of a function."""
        return {
            name: inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation,
                default=getattr(cls, name, inspect.Parameter.empty),
            )
            for name, annotation in get_type_hints(cls, include_extras=True).items()
        }  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Fields that the options set, as :class:`Sets` says; others keep their defaults.

        Raises:
            UsageError: a value that makes no sense.
        """
        fields: dict[str, Any] = {}
        for name, parameter in type(self).parameters().items():
            value = getattr(self, name)
            if value is not None:
                for sets in _all_sets(parameter):
                    fields |= sets.settings(value)
        return fields


def _all_sets(parameter: inspect.Parameter) -> list[Sets]:
    """What the annotation of an option says that it sets."""
    if get_origin(parameter.annotation) is not Annotated:
        return []
    return [entry for entry in get_args(parameter.annotation)[1:] if isinstance(entry, Sets)]


def takes_groups(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` as typer wants it: every parameter that is a group is replaced by the group's options."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[type[Group], list[str]]] = {}  # with the names of their options
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        group = parameter.annotation
        if isinstance(group, type) and issubclass(group, Group):
            options = group.parameters()
            groups[name] = (group, list(options))
            parameters += options.values()
        else:
            parameters.append(parameter)

    @functools.wraps(function)
    def command(**values: Any) -> None:
        filled = {
            name: group(**{option: values.pop(option) for option in options if option in values})
            for name, (group, options) in groups.items()
        }
        function(**values, **filled)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
