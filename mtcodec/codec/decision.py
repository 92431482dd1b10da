"""Mode decision: of the codings of a scene's tasks, those that cost least together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from mtcodec.coders.candidate import Candidate

MAX_PARTS = 6  # parts that are weighed in all combinations


@dataclass(frozen=True)
class Part:
    """What several tasks may need: the shared section, or a section of holes; counted once.

    Attributes:
        bits: that it takes. readers: keys of candidates that read it.
    """

    bits: int
    readers: frozenset[tuple[str, int]]


def decide(
    candidates: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float], parts: Sequence[Part]
) -> dict[str, Candidate]:
    """The candidate of every task, so that bits + Σ weight · error is least.

    Args:
        weights: λ · weight of the task's kind, by task.
        parts: what candidates read besides. With each combination of those that several tasks may
            read, every task takes its cheapest candidate that needs no others.
    """
    if all(len(own) == 1 for own in candidates.values()):
        return {name: own[0] for name, own in candidates.items()}
    best: tuple[float, dict[str, int]] | None = None
    shared = [part for part in parts if len({name for name, _ in part.readers}) > 1]
    alone = [part for part in parts if part not in shared]
    for allowed in _subsets(range(len(shared))):
        chosen: dict[str, int] = {}
        total = 0.0
        for name, own in candidates.items():
            costs = {
                i: coded.bits
                + weights[name] * coded.error
                + sum(part.bits for part in alone if (name, i) in part.readers)
                for i, coded in enumerate(own)
                if all((name, i) not in part.readers for k, part in enumerate(shared) if k not in allowed)
            }
            if not costs:
                break
            chosen[name] = min(costs, key=lambda i: costs[i])
            total += costs[chosen[name]]
        else:
            picked = set(chosen.items())
            total += sum(part.bits for part in shared if picked & part.readers)
            if best is None or total < best[0]:
                best = total, chosen
    assert best is not None, "a task without candidates"
    return {name: candidates[name][i] for name, i in best[1].items()}


def _subsets(items: Iterable[int]) -> Iterable[set[int]]:
    every = list(items)
    if len(every) > MAX_PARTS:
        return [set(every), set()]
    return map(set, chain.from_iterable(combinations(every, n) for n in range(len(every), -1, -1)))
