"""Mode decision: the candidates of a scene's tasks that cost least together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from mtcodec.coders.candidate import Candidate

MAX_SUBSETS_OF = 6
"""Of so many dependencies that several tasks have, all subsets are tried; of more, all of them or none."""

Key = tuple[str, int]
"""A candidate: its task, and its place among the task's candidates."""


@dataclass(frozen=True)
class Dependency:
    """A section that candidates read besides their own: the shared one, or a mask of holes. It counts once.

    Attributes:
        bits: of its payload. users: the candidates that read it.
    """

    bits: int
    users: frozenset[Key]

    @property
    def tasks(self) -> set[str]:
        """Tasks with a candidate that reads it."""
        return {task for task, _ in self.users}


def decide(
    candidates: Mapping[str, Sequence[Candidate]],
    task_lambdas: Mapping[str, float],
    dependencies: Sequence[Dependency],
) -> dict[str, Candidate]:
    """The candidate of every task, so that bits + Σ λ · weight · squared error is least.

    Once it is settled which dependencies of several tasks may be used, every task takes its cheapest
    candidate that has no others. So each set of them is tried.

    Args:
        task_lambdas: λ · weight by task.
    """
    if all(len(task_candidates) == 1 for task_candidates in candidates.values()):
        return {name: task_candidates[0] for name, task_candidates in candidates.items()}
    joint = [dependency for dependency in dependencies if len(dependency.tasks) > 1]
    costs = _costs(candidates, task_lambdas, [one for one in dependencies if len(one.tasks) == 1])
    best: tuple[float, dict[str, int]] | None = None
    for forbidden in _subsets(joint):
        choice = _cheapest(costs, forbidden)
        if choice is None:
            continue
        total = 0.0
        for key in choice.items():
            total += costs[key]
        total += sum(one.bits for one in joint if not one.users.isdisjoint(choice.items()))
        if best is None or total < best[0]:
            best = total, choice
    assert best is not None, "a task without candidates"
    return {name: candidates[name][index] for name, index in best[1].items()}


def _costs(
    candidates: Mapping[str, Sequence[Candidate]],
    task_lambdas: Mapping[str, float],
    single_task: Sequence[Dependency],
) -> dict[Key, float]:
    """What each candidate costs, with the dependencies that only its task has."""
    return {
        (name, index): candidate.bits
        + task_lambdas[name] * candidate.squared_error()
        + sum(dependency.bits for dependency in single_task if (name, index) in dependency.users)
        for name, task_candidates in candidates.items()
        for index, candidate in enumerate(task_candidates)
    }


def _cheapest(costs: Mapping[Key, float], forbidden: Sequence[Dependency]) -> dict[str, int] | None:
    """By task, the cheapest candidate without ``forbidden``; None where a task has no such one."""
    choice: dict[str, int] = {}
    for (name, index), cost in costs.items():
        is_allowed = all((name, index) not in dependency.users for dependency in forbidden)
        if is_allowed and (name not in choice or cost < costs[name, choice[name]]):
            choice[name] = index
    return choice if {name for name, _ in costs} == choice.keys() else None


def _subsets(dependencies: Sequence[Dependency]) -> Iterator[Sequence[Dependency]]:
    """Subsets, small ones first."""
    if len(dependencies) > MAX_SUBSETS_OF:
        yield ()
        yield dependencies
        return
    for size in range(len(dependencies) + 1):
        yield from reversed(list(combinations(dependencies, size)))  # of equal costs the first one wins
