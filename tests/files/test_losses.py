"""Lines that tell of a loss are losses, so that the command line shows them as warnings."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

import mtcodec.files
from mtcodec.files.images import read_with_alpha
from mtcodec.files.notes import without_repeats
from mtcodec.messages import Loss, rephrased
from mtcodec.tasks import USUAL

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


@pytest.mark.parametrize("dtype", ["float16", "float32", "uint32"])
@pytest.mark.parametrize("compression", ["ZIP", "PIZ", "RLE", "PXR24", "B44", "B44A", "DWAA", "DWAB"])
def test_labels_in_exr_files_that_change_values_are_warned_of(
    compression: str, dtype: str, tmp_path: Path
) -> None:
    labels = (np.arange(20 * 30).reshape(20, 30) // 97).astype(dtype)
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"Y": labels}) as file:
        file.write(str(tmp_path / "semantic.exr"))
    lines: list[str] = []
    read_with_alpha(tmp_path / "semantic.exr", "semantic", USUAL["semantic"], lines.append)
    is_warned = any(isinstance(line, Loss) and "changes labels" in line for line in lines)
    kept = {"PXR24": ("float16", "uint32"), "B44": ("float32", "uint32"), "B44A": ("float32", "uint32")}
    is_lossy = dtype not in kept.get(compression, ("uint32",)) and compression not in ("ZIP", "PIZ", "RLE")
    assert is_warned == is_lossy
