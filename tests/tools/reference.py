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
from shared.documents import ROOT
from tools import man

import mtcodec
from mtcodec.cli import app

PLACES: dict[str, str] = mtcodec._PLACES
FUNCTIONS = ("encode", "decode", "extract", "info", "attachments", "compare", "load", "open", "collate")
CLASSES = ("Codec", "Sequence", "SequenceWriter", "Archive", "Task")
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
    """An option or argument, and its help."""
    default = man.default_of(parameter)
    text = man.plain(parameter.help or "") + (f" Default: {default}." if default else "")
    return f"`{man.spelling(parameter)}`\n:   {escaped(text)}"


# --- Python ---------------------------------------------------------------------------------------


def python_page() -> str:
    """The functions and classes of ``mtcodec``, those for other libraries, settings of encoding, errors."""
    parts = ["# Python", _prose(_module("__init__").partition("\n")[0])]
    parts += [f"`Data` is {_alias('codec.api', 'Data')} `Scene` is a dictionary of arrays by task."]
    for name in FUNCTIONS:
        parts += _function(_definition(PLACES[name], name), f"mtcodec.{name}", "##")
    for name in CLASSES:
        parts += _class(_definition(PLACES[name], name), f"mtcodec.{name}")
    for module, name in LIBRARIES:
        node, full_name = _definition(module, name), f"mtcodec.{module}.{name}"
        is_class = isinstance(node, ast.ClassDef)
        parts += _class(node, full_name) if is_class else _function(node, full_name, "##")
    settings = _definition(*REQUEST)
    parts += ["## Request", *_documented(settings, dict(_defaults(settings)))]
    return "\n\n".join([*parts, "## mtcodec.errors", *_text(_module("errors"))]) + "\n"


def _module(name: str) -> str:
    """The docstring of a module."""
    return ast.get_docstring(_tree(name)) or ""


def _tree(module: str) -> ast.Module:
    """The source of a module, so that no library need be installed."""
    path: Path = ROOT / "mtcodec" / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _definition(module: str, name: str) -> Any:
    """The definition of a function or class, in the module that it is imported from."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _definition(str(node.module).removeprefix("mtcodec."), name)
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
    methods = [member for member in node.body if isinstance(member, ast.FunctionDef)]
    parts = [f"## {name}"]
    parts += [f"```python\n{_signature(m, name)}\n```" for m in methods if m.name == "__init__"]
    parts += _documented(node)
    short = name.rpartition(".")[2]
    for method in methods:
        if not method.name.startswith("_") and not method.decorator_list and ast.get_docstring(method):
            parts += _function(method, f"{short}.{method.name}", "###")
    return parts


def _signature(node: Function, name: str) -> str:
    arguments = node.args
    required: list[Any] = [None] * (len(arguments.args) - len(arguments.defaults))
    positional = zip(arguments.args, [*required, *arguments.defaults])
    parameters = [_parameter(a, default) for a, default in positional if a.arg != "self"]
    if arguments.vararg:
        parameters.append(f"*{_parameter(arguments.vararg)}")
    elif arguments.kwonlyargs:
        parameters.append("*")
    parameters += map(_parameter, arguments.kwonlyargs, arguments.kw_defaults)
    if arguments.kwarg:
        parameters.append(f"**{_parameter(arguments.kwarg)}")
    result = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    line = f"{name}({', '.join(parameters)}){result}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){result}"


def _parameter(argument: ast.arg, default: ast.expr | None = None) -> str:
    text = argument.arg + (f": {ast.unparse(argument.annotation)}" if argument.annotation else "")
    return text + (f" = {ast.unparse(default)}" if default is not None else "")


def _defaults(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Fields with a constant as default, and that."""
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.value, ast.Constant):
            yield ast.unparse(field.target), ast.unparse(field.value)


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
    entries = [" ".join(entry.split()) for entry in _ENTRY.split(text) if entry.strip()]
    lines = []
    for entry in entries:
        match = re.fullmatch(r"([\w, ]+): (.+)", entry)
        if match is None:
            return [_prose(" ".join(entries))]
        default = f" Default: `{defaults[match[1]]}`." if match[1] in defaults else ""
        lines.append(f"- `{match[1]}`: {_prose(match[2])}{default}")
    return ["\n".join(lines)]


def _text(text: str) -> list[str]:
    """Paragraphs; indented ones after ``::`` are shown as they are."""
    parts = []
    for paragraph in re.split(r"\n{2,}", inspect.cleandoc(text)):
        if paragraph.startswith("    "):
            parts.append(f"```text\n{textwrap.dedent(paragraph)}\n```")
        elif paragraph.strip() and paragraph != "::":
            parts.append(_prose(paragraph))
    return parts


def _prose(text: str) -> str:
    """Text of a docstring in one line, code in it as code."""
    result, end = "", 0
    text = " ".join(text.split())
    for match in _CODE.finditer(text):
        result += escaped(text[end : match.start()]) + (f"`{match[1]}`" if match[1] else _linked(match[2]))
        end = match.end()
    return result + escaped(text[end:])


def _linked(name: str) -> str:
    """A name of the package; a link if it is on the page."""
    short = name.rpartition(".")[2]
    if name in CLASSES:
        return f"[`{name}`](#mtcodec{name.lower()})"
    if name.partition(".")[0] in CLASSES:
        return f"[`{name}`](#{name.replace('.', '').lower()})"
    return f"[`{short}`](#request)" if name == f"mtcodec.{'.'.join(REQUEST)}" else f"`{name}`"
