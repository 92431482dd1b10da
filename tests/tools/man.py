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

NO_GROUP = "Options"  # the heading of options that belong to no group


def plain(text: str) -> str:
    """Text of a help in one line, without escapes."""
    return " ".join(text.replace("\\[", "[").split())


def split(text: str) -> list[str]:
    """Paragraphs of a help, one line each."""
    return [plain(paragraph) for paragraph in inspect.cleandoc(text).split("\n\n")]


def escaped(text: str) -> str:
    """Text of a help as roff takes it: one line, ASCII, in which nothing is a request."""
    safe = plain(text).replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
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


def grouped(command: Any) -> dict[str, list[Any]]:
    """Arguments, under ``""``, then options by group as the help has them."""
    groups: dict[str, list[Any]] = {"": [], NO_GROUP: []}
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            groups[""].append(parameter)
        else:
            groups.setdefault(getattr(parameter, "rich_help_panel", None) or NO_GROUP, []).append(parameter)
    return groups


def names(parameter: Any) -> tuple[list[str], str]:
    """Names of an option, and of its value, "" where it has none; of an argument the latter."""
    if parameter.param_type_name == "argument":
        return [], parameter.metavar
    value = "" if parameter.is_flag else parameter.metavar or parameter.type.name.upper()
    return sorted(parameter.opts, key=len), value


def spelling(parameter: Any) -> str:
    """An option or argument as people type it."""
    option_names, value = names(parameter)
    return " ".join([", ".join(option_names), value]).strip()


def default_of(parameter: Any) -> str:
    """The default of an option, "" where there is nothing to say."""
    if isinstance(parameter.show_default, str):
        return str(parameter.show_default)
    value = parameter.default
    is_flag = getattr(parameter, "is_flag", False)
    return str(value) if not is_flag and isinstance(value, (str, int, float)) else ""


def usage(path: tuple[str, ...], command: Any) -> str:
    """How a command is called."""
    arguments = (a.metavar if a.required else f"[{a.metavar}]" for a in grouped(command)[""])
    return " ".join(["mtcodec", *path, "[OPTIONS]", *arguments])


def synopsis(path: tuple[str, ...], command: Any) -> Iterator[str]:
    """How a command is called, in roff."""
    yield ".PP"
    arguments = []
    for argument in grouped(command)[""]:
        name = f"\\fI{escaped(argument.metavar)}\\fR"
        arguments.append(name if argument.required else f"[{name}]")
    words = escaped(" ".join(["mtcodec", *path]))
    yield f"\\fB{words}\\fR [\\fIOPTIONS\\fR] {' '.join(arguments)}".rstrip()


def described(parameter: Any) -> Iterator[str]:
    """An option or argument, and its help."""
    option_names, value = names(parameter)
    yield ".TP"
    bold = ", ".join(f"\\fB{escaped(name)}\\fR" for name in option_names)
    yield f"{bold} \\fI{escaped(value)}\\fR".strip() if value else bold
    default = default_of(parameter)
    yield escaped(parameter.help or "") + (f" Default: {escaped(default)}." if default else "")


def options(command: Any) -> Iterator[str]:
    """Arguments, then options by group."""
    for group, parameters in grouped(command).items():
        if group not in ("", NO_GROUP):
            yield ".PP"
            yield f"\\fI{escaped(group)}\\fR"
        for parameter in parameters:
            yield from described(parameter)


def paragraphs(text: str) -> Iterator[str]:
    for paragraph in split(text):
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
