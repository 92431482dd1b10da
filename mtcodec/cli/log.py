"""Lines of progress of a training run."""

from __future__ import annotations

from typing import Any

import typer


class ProgressLines:
    """One line of progress for every record of training logs; each begins with its plan."""

    def __init__(self) -> None:
        self._plan: dict[str, Any] = {}
        self._last: dict[str, Any] | None = None  # record with a loss

    def __call__(self, record: dict[str, Any]) -> None:
        if "plan" in record:
            self._plan, self._last = record["plan"], None
        elif "loss" in record:
            typer.echo("  ".join(self._parts(record)), err=True)
            self._last = record
        elif record.get("validation"):
            parts = [
                f"{quality}: {measures['bpp']:.4f} bpp {measures['psnr']}"
                for quality, measures in record["validation"].items()
            ]
            typer.echo(f"step {record['step']} validation  " + "  ".join(parts), err=True)

    def _parts(self, record: dict[str, Any]) -> list[str]:
        """What a record with a loss tells."""
        bpp = sum(value for name, value in record.items() if name.startswith("bpp_"))
        return [
            f"step {record['step']} ({100 * record['done']:.1f} %)",
            f"loss {record['loss']:.4f}",
            f"bpp {bpp:.4f}",
            *crops_a_second(self._plan, self._last, record),
            duration(record["minutes"]),
            *time_left(record["minutes"], record["done"], self._plan.get("decay", 0.0)),
        ]


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
    return [f"{duration((1 - done) * (decay or minutes / done))} left"]


def duration(minutes: float) -> str:
    """``1 h 20 min``."""
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
