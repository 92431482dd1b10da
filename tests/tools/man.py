"""The manual page of the command line, out of its help.

python tests/tools/man.py build/man/mtcodec.1      # what `make man` does
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import mtcodec
from mtcodec.cli import app

FIRST = "Options"  # the group of options that belong to no other


def escaped(text: str) -> str:
    """Text of a help as roff takes it: one line, ASCII, in which nothing is a request."""
    plain = " ".join(text.replace("\\[", "[").split())
    safe = plain.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    ascii_ = "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in safe)
    return "\\&" + ascii_ if ascii_.startswith(".") else ascii_


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below ``command`` that does something, and its words."""
    for name in getattr(command, "commands", {}):
        child = command.get_command(None, name)
        if getattr(child, "commands", None):
            yield from commands(child, (*path, name))
        else:
            yield (*path, name), child


def synopsis(path: tuple[str, ...], command: Any) -> Iterator[str]:
    yield ".PP"
    words = " ".join(["mtcodec", *path])
    arguments = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = f"\\fI{escaped(parameter.metavar)}\\fR"
            arguments.append(name if parameter.required else f"[{name}]")
    yield f"\\fB{escaped(words)}\\fR [\\fIOPTIONS\\fR] {' '.join(arguments)}".rstrip()


def described(parameter: Any) -> Iterator[str]:
    """An option or argument, and its help."""
    yield ".TP"
    if parameter.param_type_name == "argument":
        yield f"\\fI{escaped(parameter.metavar)}\\fR"
    else:
        names = ", ".join(f"\\fB{escaped(name)}\\fR" for name in sorted(parameter.opts, key=len))
        metavar = parameter.metavar or parameter.type.name.upper()
        yield names + ("" if parameter.is_flag else f" \\fI{escaped(metavar)}\\fR")
    yield escaped(parameter.help or "") + default(parameter)


def default(parameter: Any) -> str:
    shown = parameter.show_default
    if isinstance(shown, str):
        return f" Default: {escaped(shown)}."
    value = parameter.default
    if (
        getattr(parameter, "is_flag", False)
        or value in (None, "")
        or not isinstance(value, (str, int, float))
    ):
        return ""
    return f" Default: {escaped(str(value))}."


def options(command: Any) -> Iterator[str]:
    """Arguments, then options by group as the help has them."""
    groups: dict[str, list[Any]] = {}
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield from described(parameter)
        else:
            groups.setdefault(getattr(parameter, "rich_help_panel", None) or FIRST, []).append(parameter)
    for group in sorted(groups, key=lambda name: name != FIRST):
        if group != FIRST:
            yield ".PP"
            yield f"\\fI{escaped(group)}\\fR"
        for parameter in groups[group]:
            yield from described(parameter)


def paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield ".PP"
        yield escaped(paragraph)


def page() -> str:
    """The manual page."""
    program: Any = typer.main.get_command(app)
    about, *rest = inspect.cleandoc(program.help).split("\n\n")
    lines = [
        f'.TH MTCODEC 1 "" "mtcodec {mtcodec.__version__}" "User Commands"', ".nh",
        ".SH NAME", f"mtcodec \\- {escaped(about[0].lower() + about[1:].rstrip('.'))}",
        ".SH SYNOPSIS", "\\fBmtcodec\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
    ]  # fmt: skip
    lines += [".SH DESCRIPTION", *(line for text in rest for line in paragraphs(text))]
    lines += [".SH OPTIONS", ".TP", "\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "Show the help of a command."]
    lines += [*options(program), ".SH COMMANDS"]
    for path, command in commands(program):
        lines += [f".SS {escaped(' '.join(path))}", *synopsis(path, command), *paragraphs(command.help)]
        lines += options(command)
    lines += [".SH SEE ALSO", "docs/datasets.md, docs/archives.md, docs/training.md of the source"]
    return "\n".join(lines) + "\n"


def main() -> None:
    output = Path(sys.argv[1])
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page(), encoding="ascii")
    print(output)


if __name__ == "__main__":
    main()
