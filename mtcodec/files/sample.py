"""A few items of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of ``items``, in order and at equal distances."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]
