"""Memory is that of a group, however long a sequence is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import resource, sys
import numpy as np
import mtcodec

mode, count, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
y, x = np.mgrid[:240, :320]
if mode == "write":
    with mtcodec.SequenceWriter(path, fps=30, force=True, coding="classical", effort="fast") as writer:
        for k in range(count):
            writer.append({"depth": (1000 + x * 5 + y * 3 + k).astype(np.uint16), "pose": np.eye(4)[0] * k})
elif mode == "read":
    assert sum(1 for _ in mtcodec.open(path)) == count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def peak(*arguments: object) -> int:
    """MiB that a process held at most."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["write", "read"])
def test_long_sequences_take_no_more_memory(mode: str, tmp_path: Path) -> None:
    """320 frames of 150 kB would be 47 MiB."""
    peaks = []
    for count in (32, 320):
        if mode == "read":
            peak("write", count, tmp_path / "c.mtc")
        peaks.append(peak(mode, count, tmp_path / "c.mtc"))
    assert peaks[1] < peaks[0] + 12, peaks
