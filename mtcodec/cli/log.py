"""What is shown of a training run while it goes on."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from mtcodec.cli.report import in_minutes
from mtcodec.errors import DependencyError, OutputError


class Report:
    """Prints a line for every record of the log, and draws the log anew where something was validated.

    Args:
        output: the file of weights, beside which log and plot lie.
        is_decay: of a run that makes weights of another's checkpoint.
        quiet: print nothing.
    """

    def __init__(self, output: Path, is_decay: bool, quiet: bool) -> None:
        self._log = output.with_suffix(".decay.jsonl" if is_decay else ".log.jsonl")
        self._picture = output.with_suffix(".decay.png" if is_decay else ".png")
        self._quiet = quiet
        self._plan: dict[str, Any] = {}  # with which every log begins
        self._last: dict[str, Any] | None = None  # record with a loss

    def __call__(self, record: dict[str, Any]) -> None:
        from mtcodec.train.plot import plot

        line = self._line(record)
        if line and not self._quiet:
            typer.echo(line, err=True)
        if "validation" in record:
            with suppress(DependencyError, OutputError):  # training goes on without a picture
                plot(self._log, self._picture)

    def _line(self, record: dict[str, Any]) -> str:
        """What people read of a record; nothing of a plan."""
        if "plan" in record:
            self._plan, self._last = record["plan"], None
            return ""
        if "loss" in record:
            bpp = sum(value for name, value in record.items() if name.startswith("bpp_"))
            parts = [
                f"step {record['step']} ({100 * record['done']:.1f} %)",
                f"loss {record['loss']:.4f}",
                f"bpp {bpp:.4f}",
                *crops_a_second(self._plan, self._last, record),
                in_minutes(record["minutes"]),
                *time_left(record["minutes"], record["done"], self._plan.get("decay", 0.0)),
            ]
            self._last = record
            return "  ".join(parts)
        if not record.get("validation"):
            return ""
        qualities = (
            f"{quality}: {measures['bpp']:.4f} bpp {measures['psnr']}"
            for quality, measures in record["validation"].items()
        )
        return f"step {record['step']} validation  " + "  ".join(qualities)


def crops_a_second(plan: dict[str, Any], last: dict[str, Any] | None, record: dict[str, Any]) -> list[str]:
    """``33.1 crops/s`` of this process since the last record, or nothing where that cannot be told."""
    if last is None or record["minutes"] <= last["minutes"]:
        return []
    before, large = (one["done"] >= 1 - plan["large_crop_share"] for one in (last, record))
    if large != before:
        return []
    batch = max(1, plan["batch"] // 4) if large else plan["batch"]  # large: fewer, of twice the size
    crops = batch * (record["step"] - last["step"])
    return [f"{crops / (record['minutes'] - last['minutes']) / 60:.1f} crops/s"]


def time_left(minutes: float, done: float, decay: float = 0.0) -> list[str]:
    """``1 h 20 min left`` after some minutes and a share of a run; nothing for one without an end.

    Of a ``decay``, minutes that it takes, ``done`` is the share; ``minutes`` are those of the whole run.
    """
    if not 0 < done < 1:
        return []
    return [f"{in_minutes((1 - done) * (decay or minutes / done))} left"]
