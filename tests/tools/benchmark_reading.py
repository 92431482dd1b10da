"""How fast a DataLoader reads a dataset: as PNG, AVIF, WebDataset, Hugging Face's Parquet, and as an archive.

    python tests/tools/benchmark_reading.py DATASET [--tasks rgb,depth] [--coding neural --quality 30]

All forms are made in a temporary directory. AVIF files are of 8 bits, depth scaled by its range, in the
lowest quality whose PSNR over a few images of a task is the archive's. Near is this machine's disk,
files in its cache (a first round is not counted); far a server in a process of its own (``slow_server.py``).
Random order is ``shuffle=True`` of a DataLoader near, of an archive's stream far; a buffer of 100 scenes
where a form has only that. Numbers are scenes a second, the best of several rounds, and for one process near,
milliseconds of the processor a scene.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parent))

import torch
from forms import make, readers
from torch.utils.data import DataLoader, IterableDataset

import mtcodec
from mtcodec.codec.request import CODINGS, Request
from mtcodec.networks.weights import store
from mtcodec.quality import DEFAULT

BATCH = 16


def loader(data: Any, workers: int, random: bool) -> DataLoader[Any]:
    ordered = isinstance(data, IterableDataset)
    return DataLoader(
        data, BATCH, num_workers=workers, collate_fn=mtcodec.collate, persistent_workers=workers > 0,
        shuffle=None if ordered else random,
    )  # fmt: skip


def size(batch: dict[str, Any]) -> int:
    return max(len(value) for value in batch.values())


class Measured:
    """A form that is read again and again, in turns with others."""

    def __init__(
        self, make_data: Callable[[], Any], workers: int, random: bool, sent: Callable[[], int]
    ) -> None:
        data = make_data()
        self.data, self.sent, self.loader = data, sent, loader(data, workers, random)
        self.rate, self.cost, self.bytes, self.epoch = 0.0, float("inf"), 0.0, 0
        self.round(counted=False)

    def round(self, counted: bool = True) -> float:
        """Seconds of an epoch."""
        if hasattr(self.data, "set_epoch"):
            self.data.set_epoch(self.epoch)
        self.epoch += 1
        sent, cpu, start = self.sent(), time.process_time(), time.perf_counter()
        count = sum(map(size, self.loader))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        if counted:
            self.rate, self.cost = max(self.rate, count / seconds), min(self.cost, cpu / count * 1e3)
            self.bytes = (self.sent() - sent) / count
        return seconds

    def rounds(self, seconds: float) -> None:
        left = seconds
        while left > 0:
            left -= self.round()


def table(work: Path, server: str, tasks: list[str], own: argparse.Namespace) -> None:
    def sent() -> int:
        with urlopen(f"{server}/-/sent") as answer:
            return int(answer.read())

    places: list[tuple[str, str, int, bool]] = [
        (root, f"{name}, {order}", workers, order == "random")
        for root, name, workers in (
            (str(work), "1 process", 0),
            (str(work), "2 workers", 2),
            (server, "far, 2 workers", 2),
        )
        for order in ("in order", "random")
    ]  # fmt: skip
    columns: list[dict[str, Measured]] = []
    for root, _, workers, random in places:
        ways = readers(work, root, tasks, random)
        ways = {name: way for name, way in ways.items() if not own.forms or own.forms.search(name)}
        made: dict[str, Measured] = {}
        for _ in range(own.turns):
            for name, way in ways.items():
                if name not in made:
                    made[name] = Measured(way, workers, random, sent if root == server else lambda: 0)
                made[name].rounds(own.seconds / own.turns)
                if own.verbose:
                    print(f"{time.perf_counter():.0f} {root} {name} {made[name].rate:.1f}", file=sys.stderr)
        for measured in made.values():
            measured.loader._iterator = None  # its workers end
        columns.append(made)
    print(f"\n{', '.join(tasks)}:\n")
    heads = [place[1] for place in places]
    print("| | ms of the processor | " + " | ".join(heads) + " | kB a scene, far |")
    print("|---" * (len(heads) + 3) + "|")
    for name in columns[0]:
        cells = [f"{min(c[name].cost for c in columns[:2]):.2f}", *(f"{c[name].rate:.0f}" for c in columns)]
        print(f"| {name} | " + " | ".join(cells) + f" | {columns[-2][name].bytes / 1e3:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--tasks", default="rgb,depth")
    parser.add_argument("--limit", type=int, default=None, help="scenes")
    parser.add_argument(
        "--repeat", type=int, default=1, help="the same scenes several times, as a larger dataset"
    )
    parser.add_argument("--coding", choices=CODINGS, default="auto")
    parser.add_argument("--quality", type=float, default=DEFAULT)
    parser.add_argument("--weights", default=None)
    parser.add_argument("--seconds", type=float, default=1.0, help="of every number, in all turns")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--forms", type=re.compile, default=None, help="those whose names have this pattern")
    parser.add_argument("--verbose", action="store_true")
    own = parser.parse_args()
    tasks = own.tasks.split(",")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        weights = None if own.weights is None else store.find(own.weights)
        request = Request(own.quality, coding=own.coding)
        print(make(own.dataset, work, tasks, own.limit, own.repeat, weights, request))
        command = [sys.executable, str(Path(__file__).parent / "slow_server.py"), str(work)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            for wanted in (tasks, ["depth"]):
                table(work, url, wanted, own)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
