"""Coverage-guided fuzzing of every decoder with atheris (pip install "mtcodec[fuzz]", Linux only).

    python tests/tools/coverage.py [TARGET...] [--seconds 60] [--seed N] [--keep DIR] [--update]

Every target of ``targets.py`` gets its share of the seconds in a process of its own. It starts from
``hostile/corpus/<target>`` and from ``seeds.py``; what does harm is kept, a line for each, and the exit
code is 1.
``--update`` puts inputs that reach new code into the corpus, and leaves a few small ones there.
"""

from __future__ import annotations

import argparse
import math
import operator
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).parents[1]
sys.path[0] = str(TESTS)  # this file is not the package coverage
CORPUS, FINDINGS = TESTS / "hostile" / "corpus", TESTS / "hostile" / "found"
MAX_CORPUS_FILES, MAX_CORPUS_BYTES = 40, 9000  # of one target
LIBFUZZER_OPTIONS = (
    "-timeout=2",
    "-rss_limit_mb=1536",
    "-max_len=4096",
    "-print_final_stats=1",
    "-report_slow_units=99",
)
CHILD = "MTCODEC_FUZZ_TARGET"  # variable of processes that fuzz
COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)  # Python's order
REPLAY_TIMEOUT_S = 60.0  # with a finding that is tried again


def child(target: str, options: list[str]) -> None:
    """Fuzz ``target`` in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["mtcodec"]):
        from shared import targets

    def one(data: bytes) -> None:
        free_arrays(atheris)
        targets.outcome(target, data, math.inf)  # libFuzzer has a watch of its own

    atheris.Setup([f"{sys.executable} {__file__}", *options], one)  # a command: merging starts it again
    atheris.Fuzz()


def free_arrays(atheris: Any) -> None:
    """Compare arrays without the fuzzer, which never frees what that gives. It must have started."""
    trace = atheris._trace_cmp
    if getattr(trace, "frees", False):
        return

    def compare(left: Any, right: Any, operation: int, *position: Any) -> Any:
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            return COMPARISONS[operation](left, right)
        return trace(left, right, operation, *position)

    compare.frees = True  # type: ignore[attr-defined]
    atheris._trace_cmp = compare


def start(target: str, *options: str) -> subprocess.CompletedProcess[str]:
    """libFuzzer on ``target``, in a process that may start others of its kind."""
    command, environment = [sys.executable, __file__, *options], os.environ | {CHILD: target}
    return subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)


def write_seeds(target: str, directory: Path) -> None:
    from shared.seeds import seeds

    for k, data in enumerate(seeds()[target]):
        (directory / f"seed-{k}").write_bytes(data)


def harmless(target: str, path: Path) -> bool:
    """Does an input end well without instrumentation, which is slow?"""
    command = [sys.executable, __file__, "--replay", target, str(path)]
    try:
        return subprocess.run(command, capture_output=True, timeout=REPLAY_TIMEOUT_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def fuzz(target: str, seconds: float, seed: int, keep: Path, update: bool) -> list[str]:
    """Lines about what did harm."""
    committed = CORPUS / target
    committed.mkdir(parents=True, exist_ok=True)
    keep.mkdir(parents=True, exist_ok=True)
    old_findings = set(keep.iterdir())
    with tempfile.TemporaryDirectory() as directory:
        inputs = Path(directory) / "inputs"
        inputs.mkdir()
        write_seeds(target, inputs)
        limit = f"-max_total_time={max(1, round(seconds))}"
        prefix = f"-artifact_prefix={keep}/{target}-"
        options = limit, f"-seed={seed}", prefix, *LIBFUZZER_OPTIONS
        process = start(target, str(inputs), str(committed), *options)
        if update:
            merge(target, committed, inputs, Path(directory) / "merged")
    print(f"{target}: {statistics(process.stderr)}", flush=True)
    kinds = {
        path: path.name.removeprefix(f"{target}-").split("-")[0]
        for path in set(keep.iterdir()) - old_findings
    }
    findings = []
    for path, kind in kinds.items():
        if kind == "timeout" and harmless(target, path):
            path.unlink()
        else:
            findings.append(f"{target}: {kind}: {path.name}: {reason(process.stderr)}")
    if process.returncode and not kinds:
        findings.append(f"{target}: ended with {process.returncode}: {reason(process.stderr)}")
    return findings


def statistics(output: str) -> str:
    """Inputs tried, edges and features seen."""
    units = re.findall(r"number_of_executed_units: (\d+)", output)
    counts = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", output)
    edges, features, corpus = counts[-1] if counts else ("?", "?", "?")
    return f"{units[-1] if units else '?'} inputs, {edges} edges, {features} features, {corpus} kept"


def reason(output: str) -> str:
    """The exception, or the last words of libFuzzer."""
    raised = re.findall(r"^(?:[\w.]+Error|[\w.]+Warning|[\w.]+Exception)\b.*", output, re.M)
    errors = re.findall(r"^==\d+== ?(?:ERROR|libFuzzer).*", output, re.M)
    return (raised or errors or output.strip().splitlines() or ["?"])[-1][:200]


def merge(target: str, committed: Path, inputs: Path, merged: Path) -> None:
    """Replace ``committed`` by a few inputs, small and large, out of those that cover what all cover."""
    merged.mkdir()
    start(target, "-merge=1", *LIBFUZZER_OPTIONS, str(merged), str(committed), str(inputs))
    paths = sorted(merged.iterdir(), key=lambda p: (p.stat().st_size, p.name))
    corpus: dict[str, bytes] = {}
    for path in paths[:: -(-len(paths) // MAX_CORPUS_FILES) or 1]:
        data = path.read_bytes()
        if sum(map(len, corpus.values())) + len(data) <= MAX_CORPUS_BYTES:
            corpus[path.name[:12]] = data
    if corpus:
        for path in committed.iterdir():
            path.unlink()
        for name, data in corpus.items():
            (committed / name).write_bytes(data)


def main() -> None:
    if CHILD in os.environ:
        child(os.environ[CHILD], sys.argv[1:])
    from shared.targets import TARGETS, outcome

    if sys.argv[1:2] == ["--replay"]:
        print(outcome(sys.argv[2], Path(sys.argv[3]).read_bytes()))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer; 0: another one every time")
    parser.add_argument("--keep", type=Path, default=FINDINGS)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    chosen = arguments.targets or list(TARGETS)
    if unknown := set(chosen) - set(TARGETS):
        parser.error(f"no target {min(unknown)!r} (there are {', '.join(TARGETS)})")
    share = arguments.seconds / len(chosen)
    findings: list[str] = []
    for target in chosen:
        findings += fuzz(target, share, arguments.seed, arguments.keep, arguments.update)
    print("\n".join(findings) or "nothing found")
    raise SystemExit(bool(findings))


if __name__ == "__main__":
    main()
