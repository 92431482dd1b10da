"""Mode decision: the candidates of a scene's tasks that cost least together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from mtcodec.coders.candidate import Candidate

MAX_SUBSETS_OF = 6  # sections that are weighed in all combinations; of more, all of them or none

Key = tuple[str, int]
"""A candidate: its task, and its place among the task's candidates."""


@dataclass(frozen=True)
class NeededSection:
    """A section that candidates read besides their own: the shared one, or a mask of holes. It counts once.

    Attributes:
        bits: that it takes. users: the candidates that read it.
    """

    bits: int
    users: frozenset[Key]


def decide(
    candidates: Mapping[str, Sequence[Candidate]],
    lambda_weights: Mapping[str, float],
    needed: Sequence[NeededSection],
) -> dict[str, Candidate]:
    """The candidate of every task, so that bits + Σ λ · weight · squared error is least.

    Args:
        lambda_weights: λ · weight by task.
        needed: what candidates read besides. Once some sections that several tasks may use are paid for,
            every task takes its cheapest candidate that uses no others: so each set of them is tried.
    """
    if all(len(of_task) == 1 for of_task in candidates.values()):
        return {name: of_task[0] for name, of_task in candidates.items()}
    joint = [section for section in needed if len({task for task, _ in section.users}) > 1]
    costs = _costs(candidates, lambda_weights, [section for section in needed if section not in joint])
    best: tuple[float, dict[str, int]] | None = None
    for paid in _subsets(len(joint)):
        unpaid = [section for index, section in enumerate(joint) if index not in paid]
        choice = _cheapest(costs, unpaid)
        if choice is None:
            continue
        chosen = set(choice.items())
        total = 0.0
        for key in choice.items():
            total += costs[key]
        total += sum(section.bits for section in joint if chosen & section.users)
        if best is None or total < best[0]:
            best = total, choice
    assert best is not None, "a task without candidates"
    return {name: candidates[name][index] for name, index in best[1].items()}


def _costs(
    candidates: Mapping[str, Sequence[Candidate]],
    lambda_weights: Mapping[str, float],
    own_sections: Sequence[NeededSection],
) -> dict[Key, float]:
    """What each candidate costs, with the sections that its task alone uses."""
    return {
        (name, index): candidate.bits
        + lambda_weights[name] * candidate.squared_error()
        + sum(section.bits for section in own_sections if (name, index) in section.users)
        for name, of_task in candidates.items()
        for index, candidate in enumerate(of_task)
    }


def _cheapest(costs: Mapping[Key, float], unpaid: Sequence[NeededSection]) -> dict[str, int] | None:
    """By task, the cheapest candidate that uses none of ``unpaid``; None where a task has no such one."""
    choice: dict[str, int] = {}
    for (name, index), cost in costs.items():
        usable = all((name, index) not in section.users for section in unpaid)
        if usable and (name not in choice or cost < costs[name, choice[name]]):
            choice[name] = index
    return choice if {name for name, _ in costs} == choice.keys() else None


def _subsets(count: int) -> Iterator[Set[int]]:
    """Subsets of the numbers below ``count``, large ones first."""
    if count > MAX_SUBSETS_OF:
        yield set(range(count))
        yield set()
        return
    for size in range(count, -1, -1):
        yield from map(set, combinations(range(count), size))
