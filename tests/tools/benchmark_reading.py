"""How fast a DataLoader reads a dataset: as PNG, AVIF, WebDataset, Hugging Face's Parquet, and as an archive.

    python tests/tools/benchmark_reading.py DATASET [--tasks rgb,depth] [--coding neural --quality 30]

All forms are made in a temporary directory. AVIF files are of 8 bits, depth scaled by its range, in the
lowest quality whose PSNR over a few images of a task is the archive's. Near is this machine's disk,
files in its cache (a first round is not counted); far is a server in a process of its own
(``slow_server.py``). Random order is ``shuffle=True`` of a DataLoader near, of an archive's stream far; a
buffer of 100 scenes where a form has only that. Numbers are scenes a second, the best of several rounds, and
for one process near, milliseconds of the processor a scene.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parent))

import torch
from forms import make_forms, readers
from torch.utils.data import DataLoader, IterableDataset

import mtcodec
from mtcodec.codec.request import CODING_CHOICES, Request
from mtcodec.networks.weights import store
from mtcodec.quality import DEFAULT

BATCH = 16


Sent = Callable[[], int]
"""Bytes that the server has sent so far."""


def loader(dataset: Any, workers: int, random: bool) -> DataLoader[Any]:
    ordered = isinstance(dataset, IterableDataset)
    return DataLoader(
        dataset, BATCH, num_workers=workers, collate_fn=mtcodec.collate, persistent_workers=workers > 0,
        shuffle=None if ordered else random,
    )  # fmt: skip


def batch_size(batch: dict[str, Any]) -> int:
    return max(len(values) for values in batch.values())


class Measured:
    """A form that is read again and again, in turns with others.

    Attributes:
        rate: scenes a second, of the best epoch.
        cost: milliseconds of the processor a scene, of the best epoch.
        bytes: sent for a scene in the last epoch.
    """

    def __init__(self, dataset: Any, workers: int, random: bool, sent: Sent) -> None:
        self.dataset, self.sent, self.loader = dataset, sent, loader(dataset, workers, random)
        self.rate, self.cost, self.bytes, self.epoch = 0.0, float("inf"), 0.0, 0

    def round(self, counted: bool = True) -> float:
        """Read an epoch; returns its seconds."""
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(self.epoch)
        self.epoch += 1
        sent, cpu, start = self.sent(), time.process_time(), time.perf_counter()
        count = sum(map(batch_size, self.loader))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        if counted:
            self.rate, self.cost = max(self.rate, count / seconds), min(self.cost, cpu / count * 1e3)
            self.bytes = (self.sent() - sent) / count
        return seconds

    def rounds(self, seconds: float) -> None:
        """Read epochs for so long."""
        left = seconds
        while left > 0:
            left -= self.round()


@dataclass(frozen=True)
class Setting:
    """How all forms are read in one column of the table.

    Attributes:
        label: head of the column.
        root: directory or URL.
        workers: of the DataLoader.
        random: in random order.
        sent: reads the counter of the server at ``root``; 0 near.
    """

    label: str
    root: str
    workers: int
    random: bool
    sent: Sent


def settings(work: Path, server: str) -> list[Setting]:
    def sent() -> int:
        with urlopen(f"{server}/-/sent") as answer:
            return int(answer.read())

    places = (
        (str(work), "1 process", 0, lambda: 0),
        (str(work), "2 workers", 2, lambda: 0),
        (server, "far, 2 workers", 2, sent),
    )
    return [
        Setting(f"{name}, {order}", root, workers, order == "random", count)
        for root, name, workers, count in places
        for order in ("in order", "random")
    ]


def measure(
    work: Path, setting: Setting, tasks: list[str], arguments: argparse.Namespace
) -> dict[str, Measured]:
    """All forms in one setting, read in turns, by name."""
    measured: dict[str, Measured] = {}
    for _ in range(arguments.turns):
        for name, make_dataset in readers(work, setting.root, tasks, setting.random).items():
            if arguments.forms and not arguments.forms.search(name):
                continue
            if name not in measured:
                measured[name] = Measured(make_dataset(), setting.workers, setting.random, setting.sent)
                measured[name].round(counted=False)
            measured[name].rounds(arguments.seconds / arguments.turns)
    for form in measured.values():
        form.loader._iterator = None  # its workers end
    return measured


def table(work: Path, server: str, tasks: list[str], arguments: argparse.Namespace) -> None:
    """Print a row for every form."""
    columns = settings(work, server)
    results = [measure(work, setting, tasks, arguments) for setting in columns]
    print(f"\n{', '.join(tasks)}:\n")
    heads = [setting.label for setting in columns]
    print("| | ms of the processor | " + " | ".join(heads) + " | kB a scene, far |")
    print("|---" * (len(heads) + 3) + "|")
    for name in results[0]:
        forms = [result[name] for result in results]
        cells = [f"{min(form.cost for form in forms[:2]):.2f}", *(f"{form.rate:.0f}" for form in forms)]
        print(f"| {name} | " + " | ".join(cells) + f" | {forms[-2].bytes / 1e3:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--tasks", default="rgb,depth")
    parser.add_argument("--limit", type=int, default=None, help="scenes")
    parser.add_argument(
        "--repeat", type=int, default=1, help="the same scenes several times, as a larger dataset"
    )
    parser.add_argument("--coding", choices=CODING_CHOICES, default="auto")
    parser.add_argument("--quality", type=float, default=DEFAULT)
    parser.add_argument("--weights", default=None)
    parser.add_argument("--seconds", type=float, default=1.0, help="of every number, in all turns")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--forms", type=re.compile, default=None, help="those whose names have this pattern")
    arguments = parser.parse_args()
    tasks = arguments.tasks.split(",")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        weights = None if arguments.weights is None else store.find(arguments.weights)
        request = Request(arguments.quality, coding=arguments.coding)
        print(make_forms(arguments.dataset, work, tasks, arguments.limit, arguments.repeat, weights, request))
        command = [sys.executable, str(Path(__file__).parent / "slow_server.py"), str(work)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            for selection in (tasks, ["depth"]):
                table(work, url, selection, arguments)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
