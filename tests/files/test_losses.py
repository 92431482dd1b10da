"""Lines that tell of a loss are losses, so that the command line shows them as warnings."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import mtcodec.files
from mtcodec.files.notes import without_repeats
from mtcodec.messages import Loss, rephrased

FILES = Path(mtcodec.files.__file__ or "").parent
WORDS = ("left out", "only the first", "there is none", "cut off", "converted", "not the colours")
TAKERS = ("note", "_note", "tell")


def lines() -> Iterator[tuple[str, ast.expr]]:
    """Places and expressions of all lines that the room's modules tell."""
    for path in sorted(FILES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in TAKERS:
                    yield f"{path.name}:{node.lineno}", node.args[0]


def test_every_line_about_a_loss_is_one() -> None:
    found = 0
    for place, line in lines():
        texts = [str(part.value) for part in ast.walk(line) if isinstance(part, ast.Constant)]
        if any(word in text for word in WORDS for text in texts):
            found += 1
            assert isinstance(line, ast.Call) and getattr(line.func, "id", "") == "Loss", place
    assert found > 5


@pytest.mark.parametrize(("line", "sort"), [(Loss("gone"), Loss), ("here", str)])
def test_a_loss_stays_one_with_other_words_and_in_other_processes(line: str, sort: type[str]) -> None:
    taken: list[str] = []
    note = without_repeats(taken.append, "rgb: ")
    note(line)
    note(line)
    assert taken == [f"rgb: {line}"] and type(taken[0]) is sort
    assert type(rephrased(line, "x")) is sort
    assert type(pickle.loads(pickle.dumps(line))) is sort
