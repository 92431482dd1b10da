"""A few thousand mutated files, and every file that once did harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile.fuzz import fuzz, make_seeds, outcome

from mtcodec import codec as codecs

FOUND = sorted((Path(__file__).parent / "hostile" / "found").glob("*.mtc"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def test_mutated_files_do_no_harm(made: tuple[Path, list[bytes]]) -> None:
    outcomes, failures = fuzz(*made, files=10**9, seconds=20, seed=7, keep=None)
    assert failures == []
    assert all(outcomes[name] > 10 for name in ("right", "partial", "refused"))


@pytest.mark.parametrize("path", FOUND, ids=lambda p: p.stem)
def test_found_files_do_no_harm(path: Path, made: tuple[Path, list[bytes]]) -> None:
    assert outcome(codecs.load(made[0], "cpu"), path.read_bytes()) in ("right", "partial", "refused")
