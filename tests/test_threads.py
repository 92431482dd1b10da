"""Work side by side: results in order, no more threads than allowed, calls within calls share them."""

from __future__ import annotations

import threading
import time

import pytest

from mtcodec import threads


@pytest.fixture(autouse=True)
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_limit", 4)


class Counted:
    """How many calls run at a time."""

    def __init__(self) -> None:
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __call__(self, number: int) -> int:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
        return number * number


def test_results_are_in_order_and_threads_limited() -> None:
    counted = Counted()
    assert threads.parallel_map(counted, range(9)) == [n * n for n in range(9)]
    assert 1 < counted.most <= 4


def test_calls_within_calls_share_threads() -> None:
    counted = Counted()
    found = threads.parallel_map(
        lambda first: threads.parallel_map(counted, range(first, first + 6)), [0, 10]
    )
    assert found == [[n * n for n in range(first, first + 6)] for first in (0, 10)]
    assert 2 < counted.most <= 4
    threads.parallel_map(lambda first: threads.parallel_map(counted, range(3)), range(8))
    assert counted.most <= 4


def test_the_limit_of_a_thread_ends_with_its_block() -> None:
    counted = Counted()
    with threads.limited(1):
        threads.parallel_map(counted, range(4))
        assert counted.most == 1
        with threads.limited(2):
            threads.parallel_map(counted, range(4))
        assert counted.most == 2
    threads.parallel_map(counted, range(9))
    assert counted.most > 2


def test_large_parts_come_one_by_one_with_all_threads_for_what_is_in_them() -> None:
    outer, inner = Counted(), Counted()
    threads.parallel_map(lambda n: [outer(n), threads.parallel_map(inner, range(4))], range(3), serial=True)
    assert outer.most == 1 and inner.most > 1


def test_the_first_error_in_order_is_raised() -> None:
    def fail(number: int) -> None:
        time.sleep(0.02 * (2 - number))
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        threads.parallel_map(fail, range(3))
