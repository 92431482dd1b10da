"""Blocks of Python in README.md and docs: every one is run, on small data under the names that it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shared.documents import PAGES, blocks

import mtcodec
from mtcodec import Codec
from mtcodec.archive.decode import scenes
from mtcodec.archive.read import ArchiveReader

BLOCKS = [block for page in PAGES for block in blocks(page) if block.language == "python"]
TESTED = (
    "mtcodec.encode(",
    "torch.utils.data",
    "mtcodec.ray",
    "mtcodec.huggingface",
    "pyarrow",
    "SequenceWriter",
    "mtcodec.open(",
)
"""What tells a block from the others; each has a test below."""
SMALLER = {
    "480": "12", '"num_workers": 8': '"num_workers": 1', "range(10)": "range(2)",
    "num_shards=64": "num_shards=4", "buffer_size=1000": "buffer_size=4",
}  # fmt: skip
Execute = Callable[..., dict[str, Any]]


def test_every_block_has_a_test() -> None:
    assert BLOCKS
    for block in BLOCKS:
        assert sum(text in block.text for text in TESTED) == 1, block


@pytest.fixture
def execute(two_sizes: Path) -> Execute:
    """Runs the block that has such a text; returns the names that it then has."""

    def execute(text: str, **names: Any) -> dict[str, Any]:
        (block,) = (block for block in BLOCKS if text in block.text)
        code = block.text.replace("s3://bucket/archive", str(two_sizes)).replace(
            '"archive"', f'"{two_sizes}"'
        )
        for long, short in SMALLER.items():
            code = code.replace(long, short)
        exec(compile(code, str(block), "exec"), names)
        return names

    return execute


def test_files(execute: Execute, scene: Any, small: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcodec, "load", lambda name, coding: small)
    names = execute(TESTED[0], rgb=scene["rgb"], depth=scene["depth"], scenes=[scene] * 2)
    assert names["depth"].dtype == np.uint16 and names["depth"].shape == scene["depth"].shape
    assert [list(small.decode(file)) for file in names["files"]] == [list(scene)] * 2


def test_training(execute: Execute) -> None:
    names = execute(TESTED[1])
    assert names["epoch"] == names["stream"].epoch == 1
    assert names["archive"][7]["depth"].dtype == torch.int32 and names["archive"][7]["key"] == "s7"
    (batch,) = names["loader"]
    assert sorted(batch["key"]) == sorted(names["batch"]["key"]) == sorted(names["archive"].keys())


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray(execute: Execute, cluster: None, capsys: pytest.CaptureFixture[str], two_sizes: Path) -> None:
    names = execute(TESTED[2])
    printed = [
        line for line in capsys.readouterr().out.splitlines() if "(raylet)" not in line
    ]  # its warnings
    assert printed == ["torch.Size([4, 9, 14, 3])", "torch.Size([3, 9, 14, 3])"]
    expected = [scene["rgb"].mean() for _, scene in scenes(ArchiveReader(two_sizes))]
    assert sorted(row["mean"] for row in names["means"].take_all()) == pytest.approx(sorted(expected))


def test_hugging_face(execute: Execute, capsys: pytest.CaptureFixture[str]) -> None:
    names = execute(TESTED[3])
    assert capsys.readouterr().out.count("torch.Size([3, ") == len(names["rows"]) == 14
    assert {*names["large"]["rgb_height"]} == {12}
    for row in names["means"]:
        assert row["mean"] == row["rgb"].mean()


def test_arrow(execute: Execute) -> None:
    near = execute(TESTED[4])["near"].to_pydict()
    assert sorted(near["key"]) == sorted(f"s{k}" for k in range(14) if k % 5 != 4)
    assert 0.7 < max(near["depth_max"]) < 0.81


def test_sequences(execute: Execute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: Any) -> None:
    monkeypatch.chdir(tmp_path)
    frame = {name: scene[name] for name in ("rgb", "depth")}
    recording = [(frame["rgb"], frame["depth"], np.arange(7.0) + number) for number in range(4)]
    execute("SequenceWriter", recording=recording)
    names = execute("mtcodec.open(")
    assert len(names["clip"]) == 4 and names["clip"].times[3] == 0.1
    assert np.array_equal(names["clip"][2]["pose"], np.arange(7.0) + 2)
