"""Notes that are no notes are damage, though their checksum is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shared.commands import Run

import mtcodec
from mtcodec.container.header import parse
from mtcodec.container.mtc import build, split

DEPTH = np.arange(400, dtype=np.uint16).reshape(20, 20)


@pytest.mark.parametrize("notes", [b"[]", b'{"depth":{"psnr":NaN}}', b'{"depth":{"unit":"\xff"}}'])
def test_verify_reads_notes(run: Run, tmp_path: Path, notes: bytes) -> None:
    _, payloads = split(data := mtcodec.encode({"depth": DEPTH}, units={"depth": "1mm"}))
    (tmp_path / "x.mtc").write_bytes(data)
    assert run("verify", tmp_path / "x.mtc").code == 0
    (tmp_path / "x.mtc").write_bytes(build(parse(data), payloads | {"notes": notes}))
    result = run("verify", tmp_path / "x.mtc")
    assert result.code == 3 and "notes" in result.err
