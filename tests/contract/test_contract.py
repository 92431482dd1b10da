"""Nothing that people observe has changed: every case gives what ``expected.json`` says.

What depends on the machine and on versions of libraries is compared only where these are those of the
record; else the case is skipped after all else was compared.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from contract.case import LOCAL
from contract.cases import CASES
from contract.environment import differences
from contract.record import EXPECTED, observe

RECORD = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {"environment": {}}


def test_the_record_has_all_cases() -> None:
    assert set(RECORD) - {"environment"} == set(CASES), "python tests/contract/record.py makes it"


@pytest.mark.filterwarnings("ignore::mtcodec.errors.MtcodecWarning")
@pytest.mark.parametrize("name", sorted(CASES))
def test_nothing_has_changed(name: str, tmp_path: Path) -> None:
    expected = RECORD.get(name, {})
    found = observe(name, tmp_path)
    assert found.keys() == expected.keys()
    elsewhere = differences(RECORD["environment"])
    for item in sorted(found):
        if not (elsewhere and item.startswith(LOCAL)):
            assert found[item] == expected[item], item
    if elsewhere and any(item.startswith(LOCAL) for item in found):
        pytest.skip(f"portable items are as recorded; others were recorded elsewhere ({elsewhere})")
