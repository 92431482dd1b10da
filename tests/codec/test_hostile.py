"""A few thousand mutated files and archives, every case that once did harm, and the corpus of the fuzzers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shared.rows import part_from
from shared.seeds import seeds
from shared.targets import TARGETS, outcome
from tools.fuzz import SUFFIXES, fuzz, make_seeds, outcome_of

from mtcodec import Codec
from mtcodec.archive.manifest import METADATA, Manifest, manifest_to_json
from mtcodec.archive.names import INDEX
from mtcodec.archive.read import ArchiveReader
from mtcodec.errors import FormatError
from mtcodec.tasks import USUAL

HOSTILE = Path(__file__).parents[1] / "hostile"
CASES = {path: kind for kind, suffix in SUFFIXES.items() for path in sorted(HOSTILE.glob(f"found/*{suffix}"))}
INPUTS = {
    path: target
    for target in TARGETS
    for path in sorted(HOSTILE.glob(f"found/{target}-*"))
    if path not in CASES
}
CORPUS = sorted(HOSTILE.glob("corpus/*/*"))
Made = tuple[Path, list[bytes]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


@pytest.mark.fuzz
def test_mutated_files_do_no_harm(made: Made) -> None:
    outcomes, failures = fuzz(*made, files=10**9, seconds=20, seed=7, keep=None)
    assert failures == []
    assert all(outcomes[f"file {name}"] > 10 for name in ("right", "partial", "refused"))
    assert all(outcomes[f"row {name}"] > 1 for name in ("right", "partial", "refused"))


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_found_files_do_no_harm(path: Path, made: Made) -> None:
    found = outcome_of(Codec(made[0], "cpu"), CASES[path], path.read_bytes())
    assert found in ("right", "partial", "refused")


@pytest.mark.parametrize("path", INPUTS, ids=lambda p: p.name)
def test_found_inputs_do_no_harm(path: Path) -> None:
    assert outcome(INPUTS[path], path.read_bytes()) in ("right", "refused")


def test_every_found_case_is_tried() -> None:
    assert {*CASES, *INPUTS} == set((HOSTILE / "found").iterdir())


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_does_no_harm(target: str) -> None:
    found = [outcome(target, path.read_bytes()) for path in CORPUS if path.parent.name == target]
    assert found and set(found) <= {"right", "refused"}


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_right(target: str) -> None:
    assert {outcome(target, data) for data in seeds()[target]} == {"right"}


# --- archives of others -------------------------------------------------------------------------------


def column(
    name: str, values: Callable[[list[Any]], list[Any]], kind: pa.DataType
) -> Callable[[pa.Table], pa.Table]:
    """A change of a table: other values of a column, of type ``kind``."""

    def change(table: pa.Table) -> pa.Table:
        made = pa.array(values(table[name].to_pylist()), kind)
        return table.set_column(table.column_names.index(name), name, made)

    return change


def facts(**change: Any) -> Callable[[pa.Table], pa.Table]:
    """A change of what the schema's metadata say."""
    return lambda table: table.replace_schema_metadata(
        {METADATA: json.dumps(json.loads(table.schema.metadata[METADATA]) | change)}
    )


def task(**fields: Any) -> dict[str, Any]:
    return {
        "name": "rgb",
        "kind": "color",
        "channels": 3,
        "dtypes": ["uint8"],
        "unit": "",
        "weight": 1.0,
    } | fields


FORGED: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "headers are text": (column("header", lambda v: ["MTC"] * len(v), pa.string()), "of another type"),
    "payloads are numbers": (column("rgb", lambda v: [1] * len(v), pa.int64()), "of another type"),
    "keys are bytes": (column("key", lambda v: [b"\xff"] * len(v), pa.binary()), "of another type"),
    "two columns of a name": (lambda table: table.append_column("rgb", table["rgb"]), "is there twice"),
    "a task twice": (facts(tasks=[task(), task()]), "not a shard of an archive"),
    "a fraction of a channel": (facts(tasks=[task(channels=2.5)]), "not a shard of an archive"),
    "metadata without end": (
        lambda table: table.replace_schema_metadata({METADATA: b"[" * 10**6}), "not a shard of an archive"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), FORGED.values(), ids=FORGED)
def test_shards_that_are_forged_are_refused(
    change: Callable[[pa.Table], pa.Table], message: str, made: Made, tmp_path: Path
) -> None:
    table = pq.read_table(pa.BufferReader(part_from(made[1])))
    pq.write_table(change(table), tmp_path / "shard-00000.parquet")
    with pytest.raises(FormatError, match=message):
        ArchiveReader(tmp_path)


def test_rows_without_key_or_header(made: Made, tmp_path: Path) -> None:
    table = pq.read_table(pa.BufferReader(part_from(made[1])))
    for name in ("key", "header"):
        table = column(name, lambda v: [None, *v[1:]], table[name].type)(table)
    pq.write_table(table, tmp_path / "shard-00000.parquet")
    (key, first), (_, second), *_ = ArchiveReader(tmp_path).all_entries()
    assert key == "" and isinstance(first, FormatError) and not isinstance(second, FormatError)


def test_keys_that_are_no_text(made: Made, tmp_path: Path) -> None:
    data = part_from([made[1][0]] * 3)
    table = pq.read_table(pa.BufferReader(data))
    wrong = pa.array([b"\xff\xfe"] * len(table), pa.binary()).view(pa.string())
    table = table.set_column(0, "key", wrong)
    pq.write_table(table, tmp_path / "shard-00000.parquet")
    with pytest.raises(FormatError, match="cannot read it"):
        list(ArchiveReader(tmp_path).all_entries())


SHARD = {"name": "a", "row_groups": [1], "bytes": 2, "columns": {}}
MANIFEST = manifest_to_json(Manifest("00000000", (USUAL["rgb"],)))
INDEXES = ["[]", '{"shards": 3}', json.dumps({"shards": [SHARD]}), '{"shards": ' + "[" * 10**6]
INDEXES += [json.dumps(MANIFEST | {"shards": shards}) for shards in (
    3, [{}], [SHARD, SHARD],
    *([SHARD | own] for own in (
        {"columns": 7}, {"name": "../a"}, {"row_groups": None}, {"row_groups": [-1]}, {"row_groups": [1.5]},
        {"bytes": None}, {"bytes": 1 << 41}, {"bytes": 1e999}, {"columns": {"rgb": -1}},
    )),
)]  # fmt: skip


@pytest.mark.parametrize("index", INDEXES)
def test_a_damaged_index(index: str, made: Made, tmp_path: Path) -> None:
    (tmp_path / "shard-00000.parquet").write_bytes(part_from(made[1]))
    (tmp_path / INDEX).write_text(index)
    with pytest.raises(FormatError, match="damaged"):
        ArchiveReader(tmp_path)
