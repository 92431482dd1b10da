"""``docs/architecture.md``: it knows every room, imports point down, and what it names exists."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from shared.documents import ROOT

PACKAGE = ROOT / "mtcodec"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
BELOW = ["silence", "threads", "memory", "quality", "extras", "messages", "errors"]
ABOVE = ["ray", "huggingface"]  # beside cli: modules that users import
MARKS = ("ray", "s3", "browser", "processes", "training", "fuzz", "slow", "quick")  # of tests
SPANS = set(re.findall(r"`([^`\n]+)`", PAGE))


def imported(path: Path) -> Iterator[str]:
    """Rooms that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "mtcodec":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mtcodec."):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("mtcodec."))


def test_it_lists_every_room() -> None:
    assert sorted(ROOMS) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_imports_point_down() -> None:
    rank = {room: place for place, room in enumerate([*ABOVE, *ROOMS, *BELOW])}
    for room in ROOMS:
        for path in (PACKAGE / room).rglob("*.py"):
            for imported_room in set(imported(path)) & rank.keys() - {room}:
                assert rank[imported_room] > rank[room], f"{path} imports {imported_room}"
                assert (room, imported_room) != ("codec", "files"), path


def test_few_rooms_import_torch() -> None:
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE).as_posix()
        if not inside.startswith(("train/", "paper/", "networks/pytorch/", "measure/", "archive/")):
            assert not re.search(r"^\s*(import|from) torch\b", path.read_text(), re.MULTILINE), path


def test_modules_and_names_exist() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    modules = {span for span in SPANS if span.endswith(".py")}
    words = {span for span in SPANS if re.fullmatch(r"_?[A-Za-z][A-Za-z_]+", span)}
    names = words - {*ROOMS, *MARKS, "mtcodec", "tests"}
    assert len(modules) > 20 and {"CODECS", "_find_by_layout", "Signal"} <= names
    for module in modules:
        places = (ROOT, PACKAGE, PACKAGE / "files")
        assert any((place / module).is_file() for place in places), module
    for name in names:
        assert re.search(rf"^ *(class |def )?{name}\b", source, re.MULTILINE) or (
            any((PACKAGE / room / name).is_dir() for room in ROOMS)
        ), name
    for path in (span for span in SPANS if span.startswith("tests/") and not span.endswith(".py")):
        if path != "tests/hostile/found":
            assert (ROOT / path).is_dir(), path


def public_names() -> dict[str, list[str]]:
    """By module, what its ``__all__`` says."""
    modules = {}
    for name in ("__init__", *ABOVE):
        tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
        (names,) = (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
        modules["mtcodec" if name == "__init__" else f"mtcodec.{name}"] = names
    return modules


def test_public_names_are_documented_and_tested() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for module, names in public_names().items():
        assert f"`{module}`" in PAGE
        for name in names:
            public = getattr(importlib.import_module(module), name)
            assert (public.__doc__ or "").strip(), f"{module}.{name} has no docstring"
            assert re.search(rf"\b{name}\b", tests), f"no test has {module}.{name}"


def imported_names(tree: ast.Module) -> set[str]:
    """Names that the imports of a module bind, but not those of functions."""
    nodes = (node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)))
    return {alias.asname or alias.name.split(".")[0] for node in nodes for alias in node.names}


def test_no_local_name_hides_an_import() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = imported_names(tree)
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            arguments = function.args
            bound = {a.arg for a in (*arguments.args, *arguments.posonlyargs, *arguments.kwonlyargs)}
            bound |= {
                node.id
                for node in ast.walk(function)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
            assert not bound & imports, f"{path}: {function.name} hides {bound & imports}"


def test_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make ([a-z-]+)", PAGE, re.MULTILINE)
    assert {"check", "test-quick", "fuzz", "man", "docs"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
