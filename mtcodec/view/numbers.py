"""Numbers of a task, which are no image, as text."""

from __future__ import annotations

from mtcodec.signals.mapping import Array

MAX_ROWS, MAX_COLUMNS = 16, 8  # that are shown


def text_of(numbers: Array) -> str:
    """Numbers, () or (N,) or (H, W), in lines of aligned columns; of many, the first ones."""
    if numbers.ndim == 2:
        return _lines(numbers[:MAX_ROWS], numbers.shape[1] > MAX_COLUMNS, len(numbers) - MAX_ROWS, "rows")
    flat = numbers.ravel()
    starts = range(0, min(len(flat), MAX_ROWS * MAX_COLUMNS), MAX_COLUMNS)
    rows = [flat[start : start + MAX_COLUMNS] for start in starts]
    return _lines(rows, False, len(flat) - MAX_ROWS * MAX_COLUMNS, "numbers")


def _lines(rows: Array | list[Array], are_wider: bool, hidden: int, what: str) -> str:
    """The first columns of rows, and what is left out: columns, if rows are wider, and ``hidden`` others."""
    cells = [[str(value) for value in row[:MAX_COLUMNS]] for row in rows]
    width = max(len(cell) for row in cells for cell in row)
    lines = ["  ".join(cell.rjust(width) for cell in row) + "  …" * are_wider for row in cells]
    return "\n".join(lines + [f"and {hidden:,} more {what}"] * (hidden > 0))
