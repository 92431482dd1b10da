"""Seconds and memory of opening and reading archives of up to a million scenes of a few bytes.

    python tests/tools/million.py OUT [--rows 1000000]

Makes OUT/10000, OUT/100000 … of one scene's row under other keys; every measure is taken in a new process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from mtcodec import Codec
from mtcodec.archive import write
from mtcodec.archive.manifest import Manifest, schema
from mtcodec.archive.rows import row_of
from mtcodec.container.header import NO_WEIGHTS
from mtcodec.tasks import USUAL

COUNTS = (10_000, 100_000, 1_000_000)
START = "import random; from mtcodec.archive.read import ArchiveReader; opened = ArchiveReader(PATH)"
MEASURES = {
    "open": START,
    "len": "import mtcodec; len(mtcodec.Archive(PATH, numpy=True))",
    "info --json": "import runpy, sys; sys.argv = ['mtcodec', 'info', PATH, '--json']; "
    "runpy.run_module('mtcodec', run_name='__main__')",
    "keys of a group": f"{START}; opened.keys(opened.row_groups[-1])",
    "100 random scenes": f"{START}; groups = random.Random(0).choices(opened.row_groups, k=100); "
    "[opened.entries(group)[random.Random(1).randrange(group.rows)] for group in groups]",
}
WRAPPED = """
import atexit, sys, time
PATH, start = {path!r}, time.perf_counter()
def report():
    peak = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
    print(time.perf_counter() - start, peak, file=sys.stderr)
atexit.register(report)
{code}
"""


def make(path: Path, rows: int) -> None:
    """An archive of ``rows`` scenes."""
    path.mkdir(parents=True)
    manifest = Manifest(NO_WEIGHTS, tuple(USUAL[name] for name in ("depth", "semantic")))
    scene = {"depth": np.full((4, 4), 900, np.uint16), "semantic": np.zeros((4, 4), np.uint8)}
    row = row_of("", Codec((), coding="classical", effort="fast").encode(scene), manifest.tasks)
    writer = write.Writer(path, manifest)
    for k, first in enumerate(range(0, rows, write.SHARD_ROWS)):
        count = min(write.SHARD_ROWS, rows - first)
        columns = [
            pa.array([f"scene-{n:07d}" for n in range(first, first + count)])
            if field.name == "key"
            else pa.repeat(pa.scalar(row.get(field.name), field.type), count)
            for field in schema(manifest)
        ]
        part = write.table_to_parquet(pa.Table.from_arrays(columns, schema=schema(manifest)))
        (path / write.SHARD_NAME.format(k)).write_bytes(part)
    writer.finish()


def measured(path: Path, code: str) -> tuple[float, float]:
    """Seconds with imports, and MB of memory at most."""
    wrapped = WRAPPED.format(path=str(path), code=code)
    process = subprocess.run([sys.executable, "-c", wrapped], capture_output=True, text=True, check=True)
    seconds, memory = process.stderr.split()[-2:]
    return float(seconds), float(memory) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=COUNTS[-1])
    arguments = parser.parse_args()
    counts = [n for n in COUNTS if n < arguments.rows] + [arguments.rows]
    cells: dict[str, list[str]] = {name: [] for name in MEASURES}
    for rows in counts:
        path, start = arguments.out / str(rows), time.perf_counter()
        if not path.exists():
            make(path, rows)
            print(f"{path}: made in {time.perf_counter() - start:.0f} s", file=sys.stderr)
        for name, code in MEASURES.items():
            seconds, memory = measured(path, code)
            cells[name].append(f"{seconds:.2f} s, {memory:.0f} MB")
    print(f"| | {' | '.join(f'{n:,}' for n in counts)} |\n|---|{'---|' * len(counts)}")
    for name, row in cells.items():
        print(f"| {name} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
