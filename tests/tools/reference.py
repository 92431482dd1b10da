"""Reference pages in Markdown: commands out of their help, Python functions out of docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from tools import man
from tools.documents import ROOT

import mtcodec
from mtcodec.cli import app

PLACES: dict[str, str] = mtcodec._PLACES
FUNCTIONS = ("encode", "decode", "extract", "info", "attachments", "compare", "load", "collate")
CLASSES = ("Codec", "Archive", "Task")
LIBRARIES = (  # module, name
    ("ray", "read_archive"), ("ray", "read_sections"), ("ray", "Decoder"), ("huggingface", "dataset"),
)  # fmt: skip
REQUEST = "codec.request", "Request"  # settings of encoding
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")
WIDTH = 80
_CODE = re.compile(r"``(.+?)``|:\w+:`~?(.+?)`")
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):[ ]*$", re.MULTILINE)
_ENTRY = re.compile(
    r"\n(?=\S)|(?<=[.)])\s+(?=[A-Z]\w+(?:, [A-Z]\w+)*: )"
)  # errors follow each other in a line
Function = ast.FunctionDef | ast.AsyncFunctionDef


def escaped(text: str) -> str:
    """Plain text in which nothing is markup."""
    return re.sub(r"([\\*_`\[\]])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


# --- commands -------------------------------------------------------------------------------------


def commands_page() -> str:
    """Every command, its arguments and options."""
    program: Any = typer.main.get_command(app)
    parts = ["# Command line", *map(escaped, man.split(program.help))]
    parts += ["`mtcodec COMMAND --help` tells what stands here, and `make man` makes a manual page of it."]
    for path, command in man.commands(program):
        words = " ".join(path)
        parts += [f"## {words}", f"```text\n{man.usage(path, command)}\n```"]
        parts += map(escaped, man.split(command.help))
        for group, parameters in man.grouped(command).items():
            parts += [f"**{escaped(group)}**"] if group and parameters else []
            parts += map(_described, parameters)
    return "\n\n".join(parts) + "\n"


def _described(parameter: Any) -> str:
    usual = man.usual(parameter)
    text = man.plain(parameter.help or "") + (f" Default: {usual}." if usual else "")
    return f"`{man.called(parameter)}`\n:   {escaped(text)}"


# --- Python ---------------------------------------------------------------------------------------


def python_page() -> str:
    """The functions and classes of ``mtcodec``, those for other libraries, settings of encoding, errors."""
    parts = ["# Python", _prose(_module("__init__").partition("\n")[0])]
    parts += [f"`Data` is {_alias('codec.api', 'Data')} `Scene` is a dictionary of arrays by task."]
    for name in FUNCTIONS:
        parts += _function(_found(PLACES[name], name), f"mtcodec.{name}", "##")
    for name in CLASSES:
        parts += _class(_found(PLACES[name], name), f"mtcodec.{name}")
    for module, name in LIBRARIES:
        node, whole = _found(module, name), f"mtcodec.{module}.{name}"
        parts += _class(node, whole) if isinstance(node, ast.ClassDef) else _function(node, whole, "##")
    settings = _found(*REQUEST)
    parts += ["## Request", *_documented(settings, dict(_defaults(settings)))]
    return "\n\n".join([*parts, "## mtcodec.errors", *_text(_module("errors"))]) + "\n"


def _module(name: str) -> str:
    return ast.get_docstring(_tree(name)) or ""


def _tree(module: str) -> ast.Module:
    """Source, so that no library need be there."""
    path: Path = ROOT / "mtcodec" / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _found(module: str, name: str) -> Any:
    """The definition of a function or class, wherever its module has it from."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _found(str(node.module).removeprefix("mtcodec."), name)
    raise LookupError(f"{module} has no {name}")


def _alias(module: str, name: str) -> str:
    """What stands below the definition of a type, as the end of a sentence."""
    body = _tree(module).body
    place = next(i for i, node in enumerate(body) if ast.unparse(node).startswith(f"{name} ="))
    text = _prose(ast.literal_eval(ast.unparse(body[place + 1])))
    return text[0].lower() + text[1:]


def _function(node: Function, name: str, level: str) -> list[str]:
    return [f"{level} {escaped(name)}", f"```python\n{_signature(node, name)}\n```", *_documented(node)]


def _class(node: ast.ClassDef, name: str) -> list[str]:
    functions = [own for own in node.body if isinstance(own, ast.FunctionDef)]
    made = [own for own in functions if own.name == "__init__"]
    parts = [f"## {name}"]
    parts += [f"```python\n{_signature(own, name)}\n```" for own in made]
    parts += _documented(node)
    short = name.rpartition(".")[2]
    for own in functions:
        if not own.name.startswith("_") and not own.decorator_list and ast.get_docstring(own):
            parts += _function(own, f"{short}.{own.name}", "###")
    return parts


def _signature(node: Function, name: str) -> str:
    own = node.args
    before: list[Any] = [None] * (len(own.args) - len(own.defaults))
    given = [_parameter(a, d) for a, d in zip(own.args, [*before, *own.defaults]) if a.arg != "self"]
    given += [f"*{_parameter(own.vararg)}"] if own.vararg else ["*"] if own.kwonlyargs else []
    given += [_parameter(a, d) for a, d in zip(own.kwonlyargs, own.kw_defaults)]
    given += [f"**{_parameter(own.kwarg)}"] if own.kwarg else []
    back = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    line = f"{name}({', '.join(given)}){back}"
    return line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {a},\n" for a in given) + f"){back}"


def _parameter(argument: ast.arg, default: ast.expr | None = None) -> str:
    text = argument.arg + (f": {ast.unparse(argument.annotation)}" if argument.annotation else "")
    return text + (f" = {ast.unparse(default)}" if default is not None else "")


def _defaults(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Constants that fields have where nothing is given."""
    for own in node.body:
        if isinstance(own, ast.AnnAssign) and isinstance(own.value, ast.Constant):
            yield ast.unparse(own.target), ast.unparse(own.value)


def _documented(node: Any, defaults: dict[str, str] | None = None) -> list[str]:
    """The parts of a docstring; ``defaults`` of what its entries are about."""
    head, *rest = _SECTION.split(ast.get_docstring(node) or "")
    parts = _text(head)
    for title, body in zip(rest[::2], rest[1::2]):
        entries, _, after = re.sub(r"\n(?=\S)", "\n\0", textwrap.dedent(body).strip("\n")).partition("\n\n\0")
        title = {"Args": "Arguments"}.get(title, title)
        parts += [f"**{title}**", *_entries(textwrap.dedent(entries.replace("\0", "")), defaults or {})]
        parts += _text(after.replace("\0", ""))
    return parts


def _entries(text: str, defaults: dict[str, str]) -> list[str]:
    """Entries such as ``name: text``, whose further lines are indented; a list where there are several."""
    found = [" ".join(own.split()) for own in _ENTRY.split(text) if own.strip()]
    named = [re.fullmatch(r"([\w, ]+): (.+)", own) for own in found]
    if not all(named):
        return [_prose(" ".join(found))]
    lines = []
    for own in named:
        assert own is not None
        usual = f" Default: `{defaults[own[1]]}`." if own[1] in defaults else ""
        lines.append(f"- `{own[1]}`: {_prose(own[2])}{usual}")
    return ["\n".join(lines)]


def _text(text: str) -> list[str]:
    """Paragraphs; indented ones after ``::`` are shown as they are."""
    parts = []
    for own in re.split(r"\n{2,}", inspect.cleandoc(text)):
        if own.startswith("    "):
            parts.append(f"```text\n{textwrap.dedent(own)}\n```")
        elif own.strip() and own != "::":
            parts.append(_prose(own))
    return parts


def _prose(text: str) -> str:
    """Text of a docstring in one line, code in it as code."""
    result, end = "", 0
    text = " ".join(text.split())
    for found in _CODE.finditer(text):
        result += escaped(text[end : found.start()]) + (f"`{found[1]}`" if found[1] else _linked(found[2]))
        end = found.end()
    return result + escaped(text[end:])


def _linked(name: str) -> str:
    """A name of the package; a link if it is on the page."""
    short = name.rpartition(".")[2]
    if name in CLASSES:
        return f"[`{name}`](#mtcodec{name.lower()})"
    if name.partition(".")[0] in CLASSES:
        return f"[`{name}`](#{name.replace('.', '').lower()})"
    return f"[`{short}`](#request)" if name == f"mtcodec.{'.'.join(REQUEST)}" else f"`{name}`"
