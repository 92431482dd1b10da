"""Layouts of datasets: which files become which scene, and what is refused."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mtcodec.errors import SceneError
from mtcodec.files.association import LIMIT, match
from mtcodec.files.layouts import SceneFiles, find_scenes, scene_directory
from mtcodec.files.scene import read_scene
from mtcodec.tasks import task as tasks

COLOURS = imagecodecs.png_encode(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3))
PLANE = imagecodecs.png_encode(np.arange(4 * 6, dtype=np.uint16).reshape(4, 6) * 1000)


def make(root: Path, *names: str) -> None:
    """Files by path within ``root``: images of one or three channels, or empty ones."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = "rgb" in name or "normal" in name
        path.write_bytes((COLOURS if colours else PLANE) if name.endswith(".png") else b"")


def found(root: Path) -> dict[str, dict[str, str]]:
    """Paths within ``root`` by key and task; keys are in order, every scene reads, nothing is left out."""

    def left_out(dataset: Path, count: int) -> None:
        raise AssertionError(f"{count} images of {dataset} are left out")

    scenes = find_scenes(root, left_out)
    assert [s.key for s in scenes] == sorted(s.key for s in scenes)
    for scene in scenes:
        assert read_scene(scene).keys() == scene.files.keys()
    return {s.key: {t: p.relative_to(root).as_posix() for t, p in s.files.items()} for s in scenes}


def refused(root: Path, *fragments: str) -> None:
    with pytest.raises(SceneError) as caught:
        find_scenes(root)
    message = str(caught.value)
    assert message.startswith(str(root)) and "\n" not in message
    for fragment in fragments:
        assert fragment in message


# --- scene directories ---------------------------------------------------------------------------


def test_a_scene_directory_is_one_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "one", "rgb.png", "depth.png", "notes.txt", ".normal.png", "rgb/1.png", "other/rgb.png")
    files = {"depth": "depth.png", "rgb": "rgb.png"}
    assert found(tmp_path / "one") == {"one": files}
    assert find_scenes(tmp_path / "one") == [scene_directory(tmp_path / "one")]
    monkeypatch.chdir(tmp_path / "one" / "other")
    assert [s.key for path in (".", "..", "../../one/") for s in find_scenes(Path(path))] == [
        "other",
        "one",
        "one",
    ]


def test_scene_directories_and_what_is_ignored_beside_them(tmp_path: Path) -> None:
    make(tmp_path, "b/rgb.png", "a/depth.png", "a/semantic.png", "readme.md", ".cache/rgb.png", "logs/1.png",
         "rgb.txt", "depth.txt", "preview.png")  # fmt: skip
    (tmp_path / "empty").mkdir()
    (tmp_path / "c").symlink_to(tmp_path / "b")
    assert found(tmp_path) == {
        "a": {"depth": "a/depth.png", "semantic": "a/semantic.png"},
        "b": {"rgb": "b/rgb.png"},
        "c": {"rgb": "c/rgb.png"},
    }


def test_unknown_tasks_of_a_scene_are_refused_when_all_are_read(tmp_path: Path) -> None:
    make(tmp_path, "a/rgb.png", "a/smell.png")
    (scene,) = find_scenes(tmp_path)
    assert read_scene(scene, [tasks.RGB, tasks.DEPTH]).keys() == {"rgb"}
    with pytest.raises(SceneError, match=r"a/smell\.png: unknown task 'smell'"):
        read_scene(scene)


# --- directories by task -------------------------------------------------------------------------


def test_directories_by_task_with_splits_and_missing_tasks(tmp_path: Path) -> None:
    make(tmp_path, "rgb/train/0001.png", "rgb/train/0002.png", "rgb/0001.png", "rgb/train/.0003.png",
         "depth/train/0001.png", "depth/test/a/0001.png", "depth/.hidden/0001.png", "normal/train/notes.txt",
         "edges/train/0001.png", "camera.json")  # fmt: skip
    assert found(tmp_path) == {
        "0001": {"rgb": "rgb/0001.png"},
        "test/a/0001": {"depth": "depth/test/a/0001.png"},
        "train/0001": {"depth": "depth/train/0001.png", "rgb": "rgb/train/0001.png"},
        "train/0002": {"rgb": "rgb/train/0002.png"},
    }


def test_keys_are_paths_without_the_suffix_only(tmp_path: Path) -> None:
    make(tmp_path, "rgb/a.b.png", "depth/a.png")
    np.save(tmp_path / "depth" / "a.b.npy", np.ones((4, 6), np.float32))
    assert found(tmp_path) == {
        "a": {"depth": "depth/a.png"},
        "a.b": {"depth": "depth/a.b.npy", "rgb": "rgb/a.b.png"},
    }


def test_declared_tasks_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_registry", dict(tasks._registry))
    make(tmp_path, "rgb/1.png", "depth_euclidean/1.png", "depth_zbuffer/1.png")
    assert found(tmp_path)["1"].keys() == {"rgb", "depth"}
    tasks.register(tasks.Task("depth_euclidean", "depth", 1, tasks.DEPTH.dtypes))
    assert found(tmp_path)["1"].keys() == {"rgb", "depth", "depth_euclidean"}


# --- Taskonomy and Omnidata ----------------------------------------------------------------------


def views(domain: str, *keys: str, suffix: str = "") -> list[str]:
    """Files such as ``rgb/allensville/point_0_view_1_domain_rgb.png``."""
    return [f"{domain}/{key}_domain_{suffix or domain}.png" for key in keys]


def test_taskonomy(tmp_path: Path) -> None:
    one, two = "taskonomy/allensville/point_0_view_1", "taskonomy/beechwood/point_12_view_0"
    make(tmp_path, *views("rgb", one, two), *views("depth_zbuffer", one), *views("depth_euclidean", one, two),
         *views("normal", two), *views("segment_semantic", one, suffix="segmentsemantic"),
         *views("mask_valid", one, two, suffix="depth_zbuffer"), *views("keypoints2d", one))  # fmt: skip
    assert found(tmp_path) == {
        one: {"depth": f"depth_zbuffer/{one}_domain_depth_zbuffer.png", "rgb": f"rgb/{one}_domain_rgb.png",
              "semantic": f"segment_semantic/{one}_domain_segmentsemantic.png"},
        two: {"normal": f"normal/{two}_domain_normal.png", "rgb": f"rgb/{two}_domain_rgb.png"},
    }  # fmt: skip


@pytest.mark.parametrize("empty", [False, True])
def test_euclidean_depth_takes_the_place_of_an_absent_zbuffer(empty: bool, tmp_path: Path) -> None:
    make(tmp_path, *views("rgb", "point_0_view_1"), *views("depth_euclidean", "point_0_view_1"))
    if empty:
        (tmp_path / "depth_zbuffer").mkdir()
    assert found(tmp_path) == {
        "point_0_view_1": {"depth": "depth_euclidean/point_0_view_1_domain_depth_euclidean.png",
                           "rgb": "rgb/point_0_view_1_domain_rgb.png"}
    }  # fmt: skip


# --- TUM RGB-D -----------------------------------------------------------------------------------

RGB_TIMES = ("1305031102.175304", "1305031102.211214", "1305031102.243211", "1305031103.000000")
DEPTH_TIMES = ("1305031102.160407", "1305031102.226738", "1305031102.262886", "1305031109.000000")
TUM = {  # 226738 is nearer to 211214 than to 243211
    "1305031102.175304": ("rgb/1305031102.175304.png", "depth/1305031102.160407.png"),
    "1305031102.211214": ("rgb/1305031102.211214.png", "depth/1305031102.226738.png"),
    "1305031102.243211": ("rgb/1305031102.243211.png", "depth/1305031102.262886.png"),
}


def tum(root: Path) -> tuple[dict[str, tuple[str, str]], int]:
    """Paths of rgb and depth by key, and the number of images left out."""
    counts: list[int] = []
    scenes = find_scenes(root, lambda dataset, count: counts.append(count))
    assert len(counts) <= 1 and all(read_scene(s)["depth"].dtype == np.uint16 for s in scenes)
    pairs = {s.key: tuple(s.files[t].relative_to(root).as_posix() for t in ("rgb", "depth")) for s in scenes}
    return pairs, sum(counts)  # type: ignore[return-value]


def sequence(root: Path) -> None:
    make(root, *(f"rgb/{t}.png" for t in RGB_TIMES), *(f"depth/{t}.png" for t in DEPTH_TIMES))


def index(root: Path, task: str, *lines: str) -> None:
    (root / f"{task}.txt").write_text("\n".join(("# images", "# timestamp filename", "", *lines, "")))


def test_tum_images_are_associated_by_their_names(tmp_path: Path) -> None:
    sequence(tmp_path)
    assert tum(tmp_path) == (TUM, 2)


def test_tum_images_are_associated_by_index_files(tmp_path: Path) -> None:
    make(tmp_path, "rgb/a b.png", "rgb/second.png", "depth/x.png", "depth/unlisted.png")
    index(tmp_path, "rgb", "7.5 rgb/a b.png\r", "8.25   rgb/second.png")
    index(tmp_path, "depth", "8.2599 depth/x.png")
    assert tum(tmp_path) == ({"8.25": ("rgb/second.png", "depth/x.png")}, 1)
    (tmp_path / "depth.txt").unlink()  # names are no timestamps: directories by task
    assert [s.key for s in find_scenes(tmp_path)] == ["a b", "second", "unlisted", "x"]


def test_tum_with_one_index_file_takes_names_for_the_other(tmp_path: Path) -> None:
    sequence(tmp_path)
    index(tmp_path, "rgb", *(f"{t} rgb/{t}.png" for t in RGB_TIMES[:2]))
    assert tum(tmp_path) == (dict(list(TUM.items())[:2]), 2)


def test_tum_images_of_further_tasks_go_with_their_rgb(tmp_path: Path) -> None:
    sequence(tmp_path)
    make(tmp_path, *(f"normal/{t}.png" for t in RGB_TIMES[2:]))
    counts: list[int] = []
    scenes = find_scenes(tmp_path, lambda dataset, count: counts.append(count))
    assert [set(s.files) for s in scenes] == [{"rgb", "depth"}, {"rgb", "depth"}, {"rgb", "depth", "normal"}]
    assert counts == [3]


def test_numbers_or_equal_times_are_no_reason_to_associate(tmp_path: Path) -> None:
    make(tmp_path / "numbers", "rgb/0001.png", "rgb/0002.png", "depth/0002.png", "depth/0003.png")
    assert list(found(tmp_path / "numbers")) == ["0001", "0002", "0003"]
    make(tmp_path / "times", "rgb/0.01.png", "rgb/0.02.png", "depth/0.01.png")
    assert list(found(tmp_path / "times")) == ["0.01", "0.02"]


def test_tum_refusals(tmp_path: Path) -> None:
    sequence(tmp_path)
    for line in ("soon rgb/a.png", "12.5", "../x rgb/a.png", "1e9 rgb/a.png"):
        index(tmp_path, "rgb", line)
        refused(tmp_path, "rgb.txt: line 4: not a timestamp and a path")
    index(tmp_path, "rgb", "1.5 rgb/a.png", "1.5 rgb/b.png")
    refused(tmp_path, "rgb/b.png: a second file for task 'rgb', beside a.png")
    index(tmp_path, "rgb", "99.5 rgb/a.png")
    refused(tmp_path, "no depth image was taken within 0.02 s of an rgb image")
    index(tmp_path, "rgb", f"{DEPTH_TIMES[0]} rgb/gone.png")
    with pytest.raises(SceneError, match=r"rgb/gone\.png: cannot read it: .*No such file"):
        read_scene(find_scenes(tmp_path)[0])


TIMES = st.lists(st.integers(0, 10**6).map(lambda n: Decimal(n) / 10**6), max_size=40)


@given(TIMES, TIMES)
def test_association_is_nearest_first(first: list[Decimal], second: list[Decimal]) -> None:
    """As the benchmark's own rule goes: all pairs near enough, the nearest first, each image once."""
    pairs = sorted((abs(a - b), i, j) for i, a in enumerate(first) for j, b in enumerate(second))
    pairs = [pair for pair in pairs if pair[0] < LIMIT]
    assume(len({apart for apart, _, _ in pairs}) == len(pairs))  # else the rule leaves a choice
    expected: list[tuple[int, int]] = []
    for _, i, j in pairs:
        if all(i != k and j != m for k, m in expected):
            expected.append((i, j))
    assert sorted(match(first, second)) == sorted(expected)


@given(TIMES, TIMES)
def test_every_image_is_used_once_whatever_the_choice(first: list[Decimal], second: list[Decimal]) -> None:
    pairs = match([t.quantize(Decimal("0.01")) for t in first], second)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(abs(first[i] - second[j]) < 2 * LIMIT for i, j in pairs)


def test_exactly_the_limit_is_too_far() -> None:
    near, far = Decimal("5.019999"), Decimal("5.02")
    assert match([Decimal(5)], [near]) == [(0, 0)] and match([Decimal(5)], [far]) == []


# --- refusals ------------------------------------------------------------------------------------


def test_directories_without_scenes_are_refused_saying_what_was_looked_for(tmp_path: Path) -> None:
    looked = (
        "no scenes found: looked for",
        "rgb, depth, normal, semantic",
        "depth_zbuffer, segment_semantic",
    )
    refused(tmp_path, *looked)
    make(tmp_path, "smell.png", "edges/1.png", "edges/2.png", "train/scene/rgb.png", "rgb.txt", "depth.txt")
    (tmp_path / "rgb").mkdir()
    refused(tmp_path, *looked)
    refused(tmp_path / "nowhere", "nowhere: no such directory")
    refused(tmp_path / "smell.png", "smell.png: not a directory")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a/rgb.png", "a/rgb.jpg"), "a/rgb.png: a second file for task 'rgb', beside rgb.jpg"),
        (("rgb/t/1.png", "rgb/t/1.tif"), "rgb/t/1.tif: a second file for task 'rgb', beside 1.png"),
        (("semantic/1.png", "segment_semantic/1.png"), "a second file for task 'semantic', beside "),
        (
            ("depth/point_1_view_2_domain_a.png", "depth/point_1_view_2_domain_b.png"),
            "_b.png: a second file for task 'depth', beside point_1_view_2_domain_a.png",
        ),
    ],
)
def test_two_files_for_one_task_are_refused(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    make(tmp_path, *names)
    refused(tmp_path, message)


def test_unreadable_images_are_named(tmp_path: Path) -> None:
    make(tmp_path, "rgb/a/1.png", "depth/a/1.png", "depth/a/2.png", "normal/b/1.png")
    (tmp_path / "depth/a/1.png").write_bytes(b"no image")
    (tmp_path / "rgb/a/2.png").mkdir()
    one, two, three = find_scenes(tmp_path)
    with pytest.raises(SceneError, match=r"depth/a/1\.png: cannot read it"):
        read_scene(one)
    with pytest.raises(SceneError, match=r"rgb/a/2\.png: cannot read it"):
        read_scene(two)
    with pytest.raises(SceneError, match=r": scene b/1: no image of any task \(rgb\)"):
        read_scene(three, [tasks.RGB])


def test_circles_of_links_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "rgb/1.png")
    (tmp_path / "rgb" / "again").symlink_to(tmp_path / "rgb")
    refused(tmp_path, "cannot list it: Too many levels of symbolic links")


# --- all layouts alike ---------------------------------------------------------------------------


def test_a_scene_reads_alike_in_every_layout(tmp_path: Path) -> None:
    one, by_task = tmp_path / "one", tmp_path / "by-task"
    make(one, "x/rgb.png", "x/depth.png")
    for task in ("rgb", "depth"):
        (by_task / task).mkdir(parents=True)
        shutil.copy(one / "x" / f"{task}.png", by_task / task / "x.png")
    (first,), (second,) = find_scenes(one), find_scenes(by_task)
    assert isinstance(first, SceneFiles) and first.key == second.key == "x"
    a, b = read_scene(first), read_scene(second)
    assert list(a) == list(b) == ["depth", "rgb"] and all(np.array_equal(a[t], b[t]) for t in a)
