"""The entropy coder: exact bytes, round trips, cost, and payloads that no encoder wrote."""

from __future__ import annotations

import bisect
import contextlib
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtcodec.bitstreams.range_coder import MAX_BITS, PRECISION, Decoder, Encoder, Tables
from mtcodec.errors import FormatError
from mtcodec.networks.entropy import fit

LIMIT = 16384
TOTAL = 1 << PRECISION

Step = tuple[list[int], list[int]]  # symbols, table indexes


def counts(radius: int) -> npt.NDArray[np.uint32]:
    """A row that falls by half with every magnitude, in integers only."""
    magnitudes = (np.arange(1, 2 * radius + 2) + 1) // 2
    tail = (TOTAL >> np.minimum(magnitudes + 2, 20)).astype(np.uint32)
    return np.concatenate([[TOTAL - tail.sum()], tail]).astype(np.uint32)


def tables_of(*rows: npt.NDArray[np.uint32]) -> Tables:
    return Tables(np.concatenate(rows), np.array([len(r) for r in rows], np.uint16))


TABLES = tables_of(counts(1), counts(3), counts(40))


def encode(steps: list[Step], tables: Tables = TABLES) -> bytes:
    encoder = Encoder(tables)
    for symbols, index in steps:
        encoder.put(np.array(symbols, np.int32), np.array(index, np.uint8))
    return encoder.finish()


def decode(
    payload: bytes, indexes: list[list[int]], limit: int = LIMIT, tables: Tables = TABLES
) -> list[list[int]]:
    decoder = Decoder(tables, payload)
    result = [decoder.take(np.array(index, np.uint8), limit).tolist() for index in indexes]
    decoder.finish()
    return result


MESSAGE: list[Step] = [
    ([0, -1, 5, 2, 0, 1, -41], [0, 1, 2, 1, 0, 2, 2]),
    ([], []),
    ([16384, 0, -16384, 2, -3, 300], [0, 1, 2, 0, 2, 1]),
]


# --- exact bytes ---------------------------------------------------------------------------------


def test_bytes_of_a_small_message() -> None:
    payload = encode(MESSAGE)
    assert payload.hex() == "5019384a4480ea267cc2de4d97e5395d9c2a"
    assert decode(payload, [index for _, index in MESSAGE]) == [values for values, _ in MESSAGE]


class Reference:
    """A reader of ``docs/format.md`` that knows nothing of constriction: one letter after the other.

    All that is put out stays in ``low``, an integer without end; letter k of n begins at
    sum(counts[:k]) * (2**24 - n) // 2**24 + k.
    """

    def __init__(self, payload: bytes) -> None:
        self.payload, self.low, self.range, self.size = payload, 0, 2**64 - 1, 8

    def letter(self, begins: list[int]) -> int:
        value = int.from_bytes(self.payload[: self.size].ljust(self.size, b"\0"), "big")
        scale = self.range >> PRECISION
        k = bisect.bisect_right(begins, (value - self.low) // scale) - 1
        end = begins[k + 1] if k + 1 < len(begins) else TOTAL
        self.low, self.range = self.low + scale * begins[k], scale * (end - begins[k])
        if self.range < 2**32:
            self.low, self.range, self.size = self.low << 32, self.range << 32, self.size + 4
        return k

    def finish(self) -> bytes:
        """The payload that a writer of what was read puts out."""
        for count in range(self.size + 1):
            shift = 8 * (self.size - count)
            shortest = -(-self.low >> shift)
            if shortest << shift < self.low + self.range:
                return shortest.to_bytes(count, "big").rstrip(b"\0")
        raise AssertionError("the range is empty")

    def uniform(self, size: int) -> int:
        return self.letter([k * (TOTAL // size) for k in range(size)])

    def step(self, index: list[int], rows: list[list[int]]) -> list[int]:
        result = dict.fromkeys(range(len(index)), 0)
        escaped = []
        for at in sorted(result, key=lambda k: index[k]):
            row = rows[index[at]]
            k = self.letter([sum(row[:k]) * (TOTAL - len(row)) // TOTAL + k for k in range(len(row))])
            result[at] = -(k + 1) // 2 if k % 2 else k // 2
            if k == len(row) - 1:
                escaped.append((at, len(row) // 2 - 1))
        lengths = [self.uniform(18) for _ in escaped]
        for bits, (at, radius) in zip(lengths, escaped, strict=True):
            low = self.uniform(1 << min(bits, 8)) if bits else 0
            high = self.uniform(1 << bits - 8) if bits > 8 else 0
            value = (1 << bits) + low + (high << 8) - 1
            magnitude = value // 2 + radius + 1
            result[at] = -magnitude if value % 2 else magnitude
        return list(result.values())


def test_bytes_mean_what_the_specification_says() -> None:
    _as_specified(MESSAGE)


def _as_specified(message: list[Step], rows: list[npt.NDArray[np.uint32]] | None = None) -> None:
    rows = rows or [counts(radius) for radius in (1, 3, 40)]
    payload = encode(message, tables_of(*rows))
    reader = Reference(payload)
    for values, index in message:
        assert reader.step(index, [row.tolist() for row in rows]) == values
    assert reader.finish() == payload


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 11), st.lists(st.integers(-5, 5), max_size=40))
def test_extreme_tables_carry_as_the_specification_says(radius: int, likely: int, values: list[int]) -> None:
    """One letter has nearly all, the others next to nothing: carries through many bytes."""
    row = np.ones(2 * radius + 2, np.uint32)
    row[likely % len(row)] += TOTAL - len(row)
    _as_specified([([max(-radius, min(v, radius)) for v in values], [0] * len(values))], [row])


def test_nothing_takes_no_bytes() -> None:
    assert encode([]) == encode([([], [])]) == b""
    assert decode(b"", [[], []]) == [[], []]


# --- round trips and cost ------------------------------------------------------------------------

symbols = (
    st.integers(-4, 4) | st.integers(-50, 50) | st.integers(-LIMIT, LIMIT) | st.sampled_from([-LIMIT, LIMIT])
)
pairs = st.lists(st.tuples(symbols, st.integers(0, len(TABLES.models) - 1)), max_size=60)


@settings(deadline=None)
@given(st.lists(pairs, max_size=4))
def test_any_steps_come_back(message: list[list[tuple[int, int]]]) -> None:
    steps = [([s for s, _ in step], [i for _, i in step]) for step in message]
    payload, index = encode(steps), [index for _, index in steps]
    assert payload[-1:] != b"\0"
    assert decode(payload, index) == [values for values, _ in steps]
    for other in (payload + b"\0", payload + b"\1", payload[:-1], b"\1" + payload):
        with contextlib.suppress(FormatError):
            assert encode(list(zip(decode(other, index), index))) == other  # no two payloads say the same


def test_every_magnitude_comes_back() -> None:
    step = list(range(-LIMIT, LIMIT + 1))
    index = [i % 3 for i in range(len(step))]
    assert decode(encode([(step, index)]), [index]) == [step]


def test_cost_is_near_the_entropy() -> None:
    scales = 0.05 * np.exp(np.arange(24) * 0.25)
    tables = Tables(*fit.quantise(fit.logistic_mixture(scales, 0.05, 4.0)))
    rows = np.split(tables.counts / TOTAL, np.cumsum(tables.lengths[:-1].astype(int)))
    rng = np.random.default_rng(0)
    index = rng.integers(0, len(rows), 50_000)
    step, bits = np.zeros(len(index), int), 0.0
    for i, row in enumerate(rows):
        where = np.flatnonzero(index == i)
        letters = rng.choice(len(row), size=len(where), p=row)
        step[where] = (letters + 1) // 2 * np.where(letters & 1, -1, 1)
        escapes = letters == len(row) - 1  # all of magnitude radius + 1: two values, one bit
        step[where[escapes]] = tables.radius[i] + 1
        bits -= np.log2(row[letters]).sum() - escapes.sum() * math.log2(MAX_BITS + 1)
    cost = len(encode([(step.tolist(), index.tolist())], tables))
    assert bits / 8 * 0.99 < cost < bits / 8 * 1.01 + 1


def test_short_payloads_take_less_than_a_byte_more_than_their_symbols() -> None:
    """In the mean over messages of 0 to 60 symbols."""
    rng = np.random.default_rng(1)
    probabilities = [counts(radius)[:-1] / TOTAL for radius in (1, 3, 40)]
    over = []
    for _ in range(400):
        index = np.sort(rng.integers(0, 3, rng.integers(0, 60)))
        letters = [int(rng.choice(len(p), p=p / p.sum())) for p in (probabilities[i] for i in index)]
        bits = -sum(math.log2(probabilities[i][k]) for i, k in zip(index, letters))
        values = [(k + 1) // 2 * (-1 if k % 2 else 1) for k in letters]
        over.append(len(encode([(values, index.tolist())])) - bits / 8)
    assert max(over) < 1.5 and sum(over) / len(over) < 1


def test_symbols_that_a_table_expects_are_nearly_free() -> None:
    zero = [0] * 10_000
    certain = tables_of(np.array([TOTAL - 3, 1, 1, 1], np.uint32))
    assert len(encode([(zero, zero)], certain)) <= 1


# --- payloads that no encoder wrote --------------------------------------------------------------


def decodes_or_refuses(payload: bytes, indexes: list[list[int]]) -> None:
    try:
        result = decode(payload, indexes)
    except FormatError:
        return
    assert [len(step) for step in result] == [len(index) for index in indexes]
    assert all(abs(s) <= LIMIT for step in result for s in step)


indexes = st.lists(st.lists(st.integers(0, len(TABLES.models) - 1), max_size=200), max_size=3)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100), indexes)
def test_random_payloads_decode_or_are_refused(payload: bytes, index: list[list[int]]) -> None:
    decodes_or_refuses(payload, index)


@pytest.mark.parametrize("byte", [b"\x01", b"\x55", b"\xff"])
def test_endless_payloads_of_one_byte_decode_or_are_refused(byte: bytes) -> None:
    decodes_or_refuses(byte * 4096, [[2] * 2000, [0] * 2000])


def test_truncated_extended_and_flipped_payloads_decode_or_are_refused() -> None:
    payload = encode(MESSAGE)
    index = [i for _, i in MESSAGE]
    for end in range(len(payload)):
        decodes_or_refuses(payload[:end], index)
    for tail in (b"\1", b"\xff" * 4, b"\0\0\0\1", payload):
        decodes_or_refuses(payload + tail, index)
        decodes_or_refuses(tail + payload, index)
    for at in range(len(payload)):
        for bit in range(8):
            decodes_or_refuses(payload[:at] + bytes([payload[at] ^ 1 << bit]) + payload[at + 1 :], index)


def test_payloads_that_no_writer_puts_out_are_refused() -> None:
    index, values = [i for _, i in MESSAGE], [v for v, _ in MESSAGE]
    payload = encode(MESSAGE)
    longer = payload + b"\1"  # the same symbols: it is in the coder's interval
    decoder = Decoder(TABLES, longer)
    assert [decoder.take(np.array(i, np.uint8), LIMIT).tolist() for i in index] == values
    with pytest.raises(FormatError, match="not as an encoder writes them"):
        decoder.finish()
    for other, message in ((b"\0", []), (payload + b"\0", index), (b"\1", [])):
        with pytest.raises(FormatError, match="not as an encoder writes them"):
            decode(other, message)


def test_data_left_over_are_refused() -> None:
    with pytest.raises(FormatError, match="not as an encoder writes them"):
        decode(encode(MESSAGE), [MESSAGE[0][1]])


@pytest.mark.parametrize("symbol", [32, -32, 40, -41, 16384])
def test_symbols_beyond_the_limit_are_refused_escaped_or_not(symbol: int) -> None:
    payload = encode([([symbol], [2])])
    assert decode(payload, [[2]], limit=abs(symbol)) == [[symbol]]
    with pytest.raises(FormatError, match="out of range"):
        decode(payload, [[2]], limit=abs(symbol) - 1)


# --- tables --------------------------------------------------------------------------------------

GOOD = [TOTAL - 3, 1, 1, 1]


@pytest.mark.parametrize(
    ("values", "lengths"),
    [
        ([TOTAL - 4, 1, 1, 1], [4]),
        ([TOTAL, 1, 1, 1], [4]),
        ([TOTAL - 2, 0, 1, 1], [4]),
        (GOOD, []),
        (GOOD, [2, 2]),
        (GOOD, [6]),
        ([*GOOD, 0], [4]),
        (GOOD[:3], [3]),
        ([TOTAL - 1, 1], [2]),
        ([], []),
        ([*GOOD, *GOOD], [4]),
        ([TOTAL // 2] * 4, [4]),
    ],
)
def test_tables_refuse(values: list[int], lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="probability table"):
        Tables(np.array(values, np.uint32), np.array(lengths, np.uint16))


@pytest.mark.parametrize(
    ("values", "lengths"),
    [
        (np.array([TOTAL + 3, -1, -1, -1]), np.array([4], np.uint16)),
        (np.array([TOTAL - 3, 1, 1, np.nan]), np.array([4], np.uint16)),
        (np.array([GOOD], np.uint32), np.array([4], np.uint16)),
        (np.array(GOOD, np.uint32), np.array([[4]], np.uint16)),
        (np.array(GOOD, np.uint32), np.array([4.0])),
    ],
    ids=["signed counts", "float counts", "counts in a matrix", "lengths in a matrix", "float lengths"],
)
def test_tables_refuse_other_types(values: npt.NDArray[np.uint32], lengths: npt.NDArray[np.uint16]) -> None:
    with pytest.raises(ValueError, match="probability tables are not lists"):
        Tables(values, lengths)
