"""Record what the package does: ``record.py [OUT.json]``; ``record.py --compare A B`` tells what differs.

Without OUT the record is ``expected.json``, which ``test_contract.py`` holds the package to. Record anew only
where a change is meant, and read the differences before.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected.json"
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))

Record = dict[str, Any]


def observe(name: str, place: Path) -> dict[str, Any]:
    """The items of a case, as JSON gives them back."""
    from contract.cases import CASES

    found: dict[str, Any] = json.loads(json.dumps(CASES[name].run(place)))
    return found


def record() -> Record:
    """The items of all cases, and where they were observed."""
    from contract.cases import CASES
    from contract.environment import environment

    results: Record = {"environment": environment()}
    for name in sorted(CASES):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            results[name] = observe(name, Path(place).resolve())
        print(f"{time.monotonic() - began:7.3f} s  {name}", file=sys.stderr)
    return results


def dumped(results: Record) -> str:
    """JSON with an item a line."""
    cases = []
    for name, items in sorted(results.items()):
        own = [f"    {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in sorted(items.items())]
        cases.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(own) + "\n  }")
    return "{\n" + ",\n".join(cases) + "\n}\n"


def compared(one: Record, other: Record) -> list[str]:
    """Lines about what differs."""
    told = []
    for name in sorted(one.keys() | other.keys()):
        first, second = one.get(name, {}), other.get(name, {})
        for item in sorted(first.keys() | second.keys()):
            if first.get(item) != second.get(item):
                told.append(f"{name}: {item}:\n  - {first.get(item)}\n  + {second.get(item)}")
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path, default=EXPECTED)
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("A", "B"))
    given = parser.parse_args()
    if given.compare is None:
        given.output.write_text(dumped(record()), encoding="utf-8")
        return 0
    told = compared(*(json.loads(path.read_text(encoding="utf-8")) for path in given.compare))
    print("\n".join(told) or "no differences")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
