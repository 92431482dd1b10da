"""Numbers by frame: arrays and tables with a row for each frame, exactly, or a clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mtcodec.errors import SceneError
from mtcodec.files.numbers import read_numbers
from mtcodec.messages import Loss

POSES = np.random.default_rng(0).normal(size=(3, 4, 4))


def read(path: Path, frames: int) -> tuple[str, NDArray[np.generic], list[str]]:
    lines: list[str] = []
    name, array = read_numbers(path, frames, lines.append)
    return name, array, lines


def refusal(path: Path, frames: int) -> str:
    """The error, without the path that it begins with."""
    with pytest.raises(SceneError) as caught:
        read_numbers(path, frames, lambda line: None)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "array",
    [
        POSES, POSES.astype(np.float32), POSES.astype(">f8"), np.asfortranarray(POSES), POSES[:, 0],
        np.array([1, -2, 3], np.int8), np.array([2**63, 1, 2**64 - 1], np.uint64),
        np.array([True, False, True]), np.array([np.nan, -0.0, np.inf], np.float16),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".NPY"])
def test_arrays_come_back_exactly(array: NDArray[np.generic], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"pose{suffix}"
    with path.open("wb") as file:
        np.savez_compressed(file, array) if suffix == ".npz" else np.save(file, array)
    name, back, lines = read(path, 3)
    assert name == "pose" and lines == []
    native = array.astype(array.dtype.newbyteorder("="))
    assert back.dtype == native.dtype and back.shape == array.shape and back.tobytes() == native.tobytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1\t2\n3\t-4", [[1, 2], [3, -4]]),
        ("1 2.5\r\n 3   4 \r\n\r\n", [[1.0, 2.5], [3.0, 4.0]]),
        ("# by hand\n7\n9223372036854775807\n", [7, 2**63 - 1]),
        ("0.1\n-1e-3\n", [0.1, -1e-3]),
        ("nan, .5\n-inf, 5.\n", [[np.nan, 0.5], [-np.inf, 5.0]]),
        ("\ufeff1\n2\n", [1, 2]),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_tables(text: str, expected: list[object], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"imu{suffix}"
    path.write_bytes(text.encode())
    name, array, lines = read(path, 2)
    expected_array = np.array(expected)
    assert name == "imu" and lines == [] and array.dtype == expected_array.dtype
    assert np.array_equal(array, expected_array, equal_nan=array.dtype.kind == "f")


@pytest.mark.parametrize("text", ["t, x\n1,2\n3,4\n", "t\tx\n1\t2\n3\t4\n", "t x\n1 2\n3 4\n"])
def test_names_of_columns_are_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "imu.csv"
    path.write_text(text)
    _, array, (line,) = read(path, 2)
    assert np.array_equal(array, [[1, 2], [3, 4]])
    assert line == f"{path}: names of columns are left out: t, x" and isinstance(line, Loss)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it holds no numbers"),
        ("t,x\n", "it holds no numbers"),
        ("1,2\n3\n4,5\n", "line 2 has 1 columns, but line 1 2"),
        ("1,2\n3,\n", "line 2: '' is no number"),
        ("1\n2\nthree\n", "line 3: 'three' is no number"),
        ("1,x\n3,4\n", "line 1: 'x' is no number"),
        ("1_0\n2\n3\n", "it has 2 rows, but the sequence 3 frames: a row for each is needed"),
        ("1\n9223372036854775808\n3\n", "line 2: 9223372036854775808 is beyond 64 bits"),
        ("1403636579763555584,0.5\n1,2\n1,2\n", ""),
        ("1403636579763555585,0.5\n1,2\n1,2\n", "line 1: 1403636579763555585 is not kept exactly beside"),
        ("1e999\n2\n3\n", "line 1: 1e999 is too large"),
        ("1\n2\n", "it has 2 rows, but the sequence 3 frames: a row for each is needed"),
        ("1\n", "it has 1 row, but the sequence 3 frames"),
    ],
)
def test_tables_that_are_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "imu.csv"
    path.write_text(text)
    if reason:
        assert reason in refusal(path, 3)
    else:
        assert read(path, 3)[1][0, 0] == 1403636579763555584  # a multiple of 256


def test_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "imu.txt"
    path.write_bytes(b"1\n\xff\n")
    assert refusal(path, 2) == "cannot read it: it is no text in UTF-8"


def test_arrays_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pose.npy"
    arrays: list[tuple[NDArray[np.generic], str]] = [
        (np.zeros((3, 1, 2, 3)), "an array of shape (3, 1, 2, 3) has no rows of numbers by frame"),
        (np.array(1.0), "an array of shape () has no rows"),
        (np.zeros((3, 0)), "an array of shape (3, 0) has no rows"),
        (np.zeros(3, np.complex64), "its values are of type complex64"),
        (np.array(["a", "b", "c"]), "its values are of type <U1"),
        (np.zeros((4, 3)), "it has 4 rows, but the sequence 3 frames"),
    ]
    for array, reason in arrays:
        np.save(path, array)
        assert reason in refusal(path, 3)
    np.save(path, np.array([{}, {}, {}]), allow_pickle=True)
    assert refusal(path, 3) == "cannot read it: it holds Python objects, not numbers"
    np.save(path, POSES)
    path.write_bytes(path.read_bytes()[:-1])
    assert refusal(path, 3) == "cannot read it: it has not as many numbers as it declares"
    path.write_bytes(b"")
    assert refusal(path, 3) == "cannot read it: it is empty"
    assert refusal(tmp_path / "none.npy", 3) == "cannot read it: No such file or directory"
    assert "are read from .npy, .npz, .csv, .txt" in refusal(_empty(tmp_path / "a.json"), 3)


def _empty(path: Path) -> Path:
    path.write_text("{}")
    return path


def test_files_of_several_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pose.npz"
    np.savez(path, a=POSES, b=POSES)
    assert refusal(path, 3) == "cannot read it: it holds 2 arrays, not one: a, b"
    path.write_bytes(path.read_bytes()[:200])
    assert "damaged, cut off" in refusal(path, 3)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("pose", "pose"), ("Joint-Positions", "joint_positions"), ("shared", "_shared"), ("3d", "_3d")],
)
def test_names(stem: str, name: str, tmp_path: Path) -> None:
    np.save(tmp_path / f"{stem}.npy", POSES)
    told_name, _, lines = read(tmp_path / f"{stem}.npy", 3)
    assert told_name == name
    assert lines == [f"{tmp_path}/{stem}.npy: its numbers are called {name}, as a task's name must be"] * (
        stem != name
    )


@pytest.mark.parametrize("stem", ["a" * 32, "姿勢", "__"])
def test_names_that_no_task_can_have(stem: str, tmp_path: Path) -> None:
    np.save(tmp_path / f"{stem}.npy", POSES)
    assert "its name cannot be that of a task" in refusal(tmp_path / f"{stem}.npy", 3)
