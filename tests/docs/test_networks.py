"""``docs/networks.md`` and the part of ``docs/format.md`` on weights: what they say of tensors is so."""

from __future__ import annotations

import hashlib
import re
from dataclasses import MISSING, fields, replace

import numpy as np
import pytest
from shared.documents import ROOT

from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.config import ARCHITECTURES, ModelConfig
from mtcodec.networks.entropy.gain_vectors import ANCHORS, TABLE_LIMITS
from mtcodec.networks.layers import Layer
from mtcodec.networks.structure import Structure
from mtcodec.networks.weights.file import digest_of
from mtcodec.tasks import declare

PAGE = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
FORMAT = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
TASKS = declare("rgb", "color"), declare("depth", "depth")
W, N, M, HYPER = 18, 6, 10, 4  # all different, so that a wrong one shows


def config(architecture: str = "conditional", backbone: str = "fast") -> ModelConfig:
    return ModelConfig(TASKS, architecture, backbone, N, M, HYPER, W, decoder_8=(8, 1), decoder_16=(12, 1))


def rows(heading: str) -> list[list[str]]:
    """Cells of the table whose head begins so."""
    table = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_fields_of_the_configuration() -> None:
    told = {}
    for cell, about in rows("field"):
        bracket = "" if cell == "`tasks`" else about.rpartition("[")[2].rpartition("]")[0].replace("`", "")
        told |= zip(names_in(cell), bracket.split("; " if ";" in bracket else ", "), strict=True)
    defaults = {
        field.name: "" if field.default is MISSING else str(field.default).strip("()")
        for field in fields(ModelConfig)
    }
    assert told == defaults
    assert sorted(names_in(rows("field")[1][1])[:-1]) == sorted(ARCHITECTURES)
    assert sorted(names_in(rows("field")[2][1])[:-1]) == sorted(BACKBONES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_streams(architecture: str) -> None:
    (row,) = (row for row in rows("architecture") if architecture in names_in(row[0]))
    graph, shared = config(architecture).graph, names_in(row[1])
    assert list(graph.streams) == [*shared, *(["rgb", "depth"] if "one a task" in row[1] else [])]
    assert graph.reads["depth"] == (*names_in(row[2]), *(["depth"] if "own" in row[2] else []))


def test_gain_vectors() -> None:
    channels = {"*N*": N, "*W*": W, "`hyper`": HYPER}
    tables = Structure(config()).streams["rgb"].tables
    told = {names_in(name)[0]: (channels[count], limits) for name, count, limits in rows("vector")}
    assert {name: (ANCHORS, count) for name, (count, _) in told.items()} == tables
    for name, (low, high) in TABLE_LIMITS.items():
        assert told[name][1] == f"{low} to {high}".replace("-", "−")


@pytest.mark.parametrize(("stream", "conditions"), [("rgb", M), ("shared", 0)])
def test_integer_layers(stream: str, conditions: int) -> None:
    structure = Structure(config()).streams[stream]
    n = structure.channels
    counts = {
        "`hyper`": HYPER, "*W*": W, "*W*/2": W // 2, "4·(*W*/2)": 4 * (W // 2), "2*N*": 2 * n,
        "*W* + *N*": W + n, "*W*/2 + *M*": W // 2 + conditions,
    }  # fmt: skip
    told = {}
    for name, kernel, channels in rows("layer"):
        ends = channels.split(",")[0].split(" → ")
        inputs, outputs = counts[ends[0]], counts[ends[-1]]
        groups = inputs if "depthwise" in kernel else 1
        told[names_in(name)[0]] = Layer(inputs, outputs, "integer", int(kernel[0]), groups)
    assert told == {
        name: replace(layer, gain=1.0) for name, layer in structure.layers.items() if layer.kind == "integer"
    }


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_layers_of_syntheses_are_named(backbone: str) -> None:
    section = PAGE[PAGE.index(f"### `{backbone}`") :].split("\n### ")[0]
    for name in Structure(config(backbone=backbone)).syntheses["rgb"].layers:
        generic = re.sub(r"^(blocks_\d+)\.\d+\.", "name.", name)
        generic = re.sub(r"^modulate_\d+\.", "name.", generic)
        assert generic in section, name


def test_a_fingerprint_is_of_the_bytes_that_are_shown() -> None:
    shown = re.findall(r"^    ([0-9a-f ]+)$", FORMAT, re.MULTILINE)
    tensor = np.array([[1, 2]], "<i2")
    assert digest_of("{}", {"t": tensor}) == hashlib.sha256(bytes.fromhex(shown[-1])).hexdigest()[:14]
