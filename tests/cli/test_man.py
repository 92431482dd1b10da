"""The manual page that is made of the help."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from tools import man

from mtcodec.cli import app

PAGE = man.page()
COMMANDS = list(man.commands(typer.main.get_command(app)))


def test_it_has_every_command_and_option() -> None:
    assert {" ".join(path) for path, _ in COMMANDS} >= {
        "encode",
        "compare",
        "stats",
        "bench",
        "analyze channels",
    }
    sections = dict(part.split("\n", 1) for part in PAGE.split(".SS ")[1:])
    assert len(sections) == len(COMMANDS)
    for path, command in COMMANDS:
        text = sections[man.escaped(" ".join(path))]
        parameters: list[Any] = command.params
        for parameter in parameters:
            for name in parameter.opts if parameter.param_type_name == "option" else [parameter.metavar]:
                assert man.escaped(name) in text, (path, name)
            assert man.escaped(parameter.help) in text, (path, parameter.name)


def test_its_text_is_no_markup() -> None:
    assert PAGE.isascii() and "\\&.mtc" in PAGE and "mtcodec[train]" in PAGE
    requests = {line.split(" ")[0] for line in PAGE.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".nh", ".SH", ".SS", ".PP", ".TP"}
    assert man.escaped("-λ\\ 'x'") == "\\-\\[u03BB]\\e \\(aqx\\(aq"


@pytest.mark.parametrize(
    "words",
    [["groff", "-man", "-Tutf8", "-ww", "-z"], ["mandoc", "-T", "utf8", "-W", "error"]],
    ids=lambda words: words[0],
)
def test_it_renders_without_warnings(words: list[str], tmp_path: Path) -> None:
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]} here")
    file = tmp_path / "mtcodec.1"
    file.write_text(PAGE, encoding="ascii")
    done = subprocess.run([*words, str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
