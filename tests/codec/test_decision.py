"""Mode decision: the codings that cost least together, with what several of them read counted once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtcodec.codec.decision import MAX_SUBSETS_OF, Dependency, decide
from mtcodec.coders.candidate import Candidate
from mtcodec.signals.mapping import whole_range
from mtcodec.signals.signal import PixelFormat

FORMAT = PixelFormat("uint8", 1, whole_range("uint8"))
Candidates = Mapping[str, Sequence[Candidate]]


def coded(size: int, error: float = 0.0, coding: str = "classical") -> Candidate:
    """Made up: so many bytes, and this squared error."""
    candidate = Candidate(coding, FORMAT, bytes(size), lambda: np.zeros((1, 1), np.uint8))
    candidate.squared_error = lambda: error  # type: ignore[method-assign]
    return candidate


def chosen(candidates: Candidates, parts: Sequence[Dependency] = (), weight: float = 1.0) -> dict[str, int]:
    """Indexes of what is chosen."""
    found = decide(candidates, dict.fromkeys(candidates, weight), parts)
    return {name: [*own].index(found[name]) for name, own in candidates.items()}


def part(size: int, *readers: tuple[str, int]) -> Dependency:
    return Dependency(8 * size, frozenset(readers))


def test_the_cheapest_of_every_task_where_nothing_is_shared() -> None:
    candidates = {"a": [coded(10, 100), coded(20, 10)], "b": [coded(5), coded(4, 9)]}
    assert chosen(candidates) == {"a": 1, "b": 0}
    assert chosen(candidates, weight=0.5) == {"a": 0, "b": 1}


def test_tasks_have_weights_of_their_own() -> None:
    candidates = {name: [coded(10, 100), coded(20, 10)] for name in "ab"}
    found = decide(candidates, {"a": 1.0, "b": 0.1}, [])
    assert found == {"a": candidates["a"][1], "b": candidates["b"][0]}


def test_the_shared_section_is_counted_once_for_those_that_read_it() -> None:
    """Networks save 6 bytes in each of two tasks: with 10 bytes shared together only."""
    neural, classical = coded(4, coding="neural"), coded(10)
    both = {"a": [neural, classical], "b": [neural, classical]}
    readers = [(name, 0) for name in both]
    assert chosen(both, [part(10, *readers)]) == {"a": 0, "b": 0}
    assert chosen(both, [part(13, *readers)]) == {"a": 1, "b": 1}
    assert chosen({"a": both["a"]}, [part(10, ("a", 0))]) == {"a": 1}
    assert chosen({"a": both["a"]}, [part(5, ("a", 0))]) == {"a": 0}
    third = {**both, "c": [coded(9, coding="neural"), coded(8)]}
    assert chosen(third, [part(10, *readers, ("c", 0))]) == {"a": 0, "b": 0, "c": 1}


def test_holes_are_paid_by_those_who_do_without_them() -> None:
    """An exact coding has holes in its values; others read a section of holes."""
    lossy, exact = coded(10, 8), coded(30)
    two = {"depth": [lossy, exact], "normal": [lossy, exact]}
    readers = [(name, 0) for name in two]
    assert chosen(two, [part(30, *readers)]) == {"depth": 0, "normal": 0}
    assert chosen({"depth": two["depth"]}, [part(30, ("depth", 0))]) == {"depth": 1}
    assert chosen(two, [part(40, *readers)]) == {"depth": 1, "normal": 1}


def test_one_candidate_is_taken_whatever_it_costs() -> None:
    assert chosen({"a": [coded(1000, 1e9)]}, [part(10**6, ("a", 0))]) == {"a": 0}


def cost(candidates: Candidates, picked: Mapping[str, int], parts: Sequence[Dependency]) -> float:
    own = sum(candidates[name][i].bits + candidates[name][i].squared_error() for name, i in picked.items())
    return own + sum(p.bits for p in parts if p.users & set(picked.items()))


@settings(deadline=None)
@given(st.data())
def test_nothing_costs_less(data: st.DataObject) -> None:
    """Against all combinations of candidates."""
    number = st.integers(0, 60)
    names = [f"t{k}" for k in range(data.draw(st.integers(1, 4)))]
    candidates = {
        name: [coded(data.draw(number), 8.0 * data.draw(number)) for _ in range(data.draw(st.integers(1, 3)))]
        for name in names
    }
    keys = [(name, i) for name, own in candidates.items() for i in range(len(own))]
    parts = [
        part(data.draw(number), *data.draw(st.sets(st.sampled_from(keys), min_size=1)))
        for _ in range(data.draw(st.integers(0, 3)))
    ]
    found = cost(candidates, chosen(candidates, parts), parts)
    every = itertools.product(*(range(len(own)) for own in candidates.values()))
    assert found == min(cost(candidates, dict(zip(candidates, picks)), parts) for picks in every)


def test_what_one_task_reads_is_weighed_there() -> None:
    """Tasks with holes of their own, more than can be combined."""
    count = MAX_SUBSETS_OF + 3
    candidates = {f"t{k}": [coded(10), coded(30)] for k in range(count)}
    parts = [part(25 if k % 2 else 5, (f"t{k}", 0)) for k in range(count)]
    found = cost(candidates, chosen(candidates, parts), parts)
    assert found == sum(8 * (30 if k % 2 else 15) for k in range(count))
