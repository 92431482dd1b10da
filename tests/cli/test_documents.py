"""Shell blocks of README.md and docs: what takes no long time is run, the rest is parsed.

Every block is run in a directory of its own, where its commands find what they name (:mod:`shared.places`).
Commands that train or measure for long (:data:`PARSED`, :data:`LONG`) are parsed by the real command line, so
that their options exist and fit; of ``make``, ``pip`` and ``python`` targets, extras, files and options are
looked up.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from shared.commands import Run
from shared.documents import ROOT, Block, shell_blocks
from shared.places import Place
from tools import man

from mtcodec.cli import app

COMMANDS = {" ".join(path): command for path, command in man.commands(typer.main.get_command(app))}
EXECUTED = {
    *("encode", "decode", "info", "extract", "view", "stats", "pack", "unpack", "verify", "compare", "bench"),
    *("concat", "cut"),
    *("weights list", "weights show"),
    *("archive check", "archive merge", "archive split", "archive sample"),
}
PARSED = {"train", "evaluate", "analyze channels", "analyze reconstructions", "analyze shared",
          "analyze subsets"}  # fmt: skip
LONG = re.compile(r"--engine|--device|\w+://|--target-")
"""In commands that are parsed only: they take long, or need what small scenes and this machine lack."""
OTHERS = {"ray", "git", "cd", "export", "man", "ls", "cat", "head", "less", "tar", "mkdir", "curl", "wget",
          "ssh", "uv", "pipx", "conda", "source", ".", "find", "jq"}  # fmt: skip
"""Foreign programs that blocks may call; nothing of them is checked."""
HELP = {"--help", "-h", "--version", "-V"}
BLOCKS = shell_blocks()
OPERATORS = set("|&;()<>")


def simple(line: str) -> list[list[str]]:
    """Simple commands of a line, without assignments and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if set(word) <= set("<>"):
            next(words, None)
        elif set(word) <= OPERATORS:
            commands.append([])
        elif commands[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
            commands[-1].append(word)
    return [command for command in commands if command]


def own_words(words: list[str]) -> list[str] | None:
    """What follows ``mtcodec``, however it is called; None of other programs."""
    if words[0] == "mtcodec":
        return words[1:]
    cut = next((i for i, word in enumerate(words) if words[i : i + 2] == ["-m", "mtcodec"]), None)
    return None if cut is None else words[cut + 2 :]


def named(words: list[str] | None) -> str:
    """The command that words begin with, empty for none."""
    paths = (" ".join((words or [])[:count]) for count in (2, 1))
    return next((path for path in paths if path in COMMANDS), "")


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """The command that words name, and its parameters; fails where the command line would."""
    name = named(words)
    if HELP & set(words) and words[0] in {*HELP, *(command_name.split()[0] for command_name in COMMANDS)}:
        return name, {}
    assert name, f"no command: {' '.join(words)}"
    return name, COMMANDS[name].make_context(name, words[name.count(" ") + 1 :]).params


def executable(line: str) -> bool:
    """Is it a line of commands of mtcodec that end soon?"""
    return not LONG.search(line) and all(named(own_words(words)) in EXECUTED for words in simple(line))


# --- what others are told -------------------------------------------------------------------------


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, assigned, _ = word.partition("=")
        pattern = rf"\$\({name}\)" if assigned else rf"^[^:#\n]*\b{name}\b[^:=\n]*:(?!=)"
        assert re.search(pattern, makefile, re.MULTILINE), f"make knows no {word}"


def check_pip(words: list[str]) -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    for word in words:
        matched = re.fullmatch(r"(?:mtcodec|\.)\[(.+)\]", word)
        for name in matched[1].split(",") if matched else ():
            assert re.search(rf"^{name} = \[", extras, re.MULTILINE), f"no extra {name}"


def check_python(words: list[str]) -> None:
    if words and words[0].endswith(".py"):
        source = (ROOT / words[0]).read_text(encoding="utf-8")
        for word in words[1:]:
            assert not word.startswith("--") or f'"{word.partition("=")[0]}"' in source, word


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "make": check_make, "pip": check_pip, "python": check_python, "python3": check_python,
}  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_commands_exist_and_their_options_fit(block: Block) -> None:
    for line in block.lines:
        for words in simple(line):
            command = own_words(words)
            if command is not None:
                parsed(command)
            elif Path(words[0]).name in CHECKS:
                CHECKS[Path(words[0]).name](words[1:])
            else:
                assert words[0] in OTHERS, f"{block}: what is {words[0]}? (OTHERS lists foreign programs)"


def test_every_command_is_executed_or_known_to_take_long() -> None:
    assert COMMANDS.keys() == EXECUTED | PARSED


# --- what is run ----------------------------------------------------------------------------------


@pytest.mark.processes
@pytest.mark.parametrize("block", [b for b in BLOCKS if any(map(executable, b.lines))], ids=str)
def test_commands_do_what_they_say(
    block: Block, run: Run, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = Place(tmp_path, small_weights)
    shim = tmp_path / ".bin" / "mtcodec"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mtcodec "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent), prepend=":")
    for line in filter(executable, block.lines):
        every = [[*expanded(own_words(words) or [])] for words in simple(line)]
        for words in every:
            name, params = parsed(words)
            place.provide(name, params)
        if len(every) == 1 and not OPERATORS & set(line.partition(" #")[0]):
            result = run(*every[0])
            assert result.code == 0, f"{block}: {line}\n{result}"
        else:
            done = subprocess.run(["bash", "-c", line], capture_output=True, check=False)
            assert done.returncode == 0, f"{block}: {line}\n{done}"
        for words in every:
            output = parsed(words)[1].get("output")
            assert output is None or str(output) == "-" or (tmp_path / output).exists(), line


def expanded(words: list[str]) -> Iterator[str]:
    """Words with the paths that those with ``*`` stand for."""
    for word in words:
        paths = sorted(map(str, Path().glob(word))) if "*" in word else []
        yield from paths or [word.replace("*", "scene")]
