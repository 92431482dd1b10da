"""Sequences over HTTP: how many requests a frame takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from shared.clips import FAST, depths, frame_of, without_index, write_clip
from tools.slow_server import Line, Server, handler

import mtcodec
from mtcodec.errors import MtcodecWarning, SceneError
from mtcodec.sequences.sources import UrlSource

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


class Counter:
    """Requests so far: method and range."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def take(self) -> list[str]:
        taken, self.requests = self.requests, []
        return taken


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Counter]]:
    pytest.importorskip("aiohttp")
    counter = Counter()

    class Counting(handler(tmp_path.resolve(), Line())):  # type: ignore[misc]
        def do_HEAD(self) -> None:  # noqa: N802
            counter.requests.append("HEAD")
            super().do_HEAD()

        def do_GET(self) -> None:  # noqa: N802
            counter.requests.append(str(self.headers["Range"]))
            super().do_GET()

    with Server(("127.0.0.1", 0), Counting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", counter
        server.shutdown()
        thread.join()


def test_one_request_for_the_end_and_one_for_a_frame(site: tuple[str, Counter], tmp_path: Path) -> None:
    url, counter = site
    write_clip(tmp_path / "c.mtc", 600, group=1, fps=30)
    assert (tmp_path / "c.mtc").stat().st_size > 1 << 16  # more than is read of its end
    clip = mtcodec.open(f"{url}/c.mtc")
    assert len(clip) == 600 and len(counter.take()) == 1
    assert np.array_equal(clip[123]["depth"], frame_of(123)["depth"])
    assert len(counter.take()) == 1
    assert clip.frames([123])[0].keys() == {"rgb", "depth"} and counter.take() == []
    assert np.array_equal(clip.at(7.51)["depth"], frame_of(225)["depth"]) and len(counter.take()) == 1


def test_only_what_tasks_need_is_fetched(site: tuple[str, Counter], tmp_path: Path) -> None:
    url, counter = site
    noise = np.random.default_rng(0).integers(0, 60000, (4, 160, 200)).astype(np.uint16)
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", group=4, max_error={"depth": 0, "height": 0}) as writer:
        for image in noise:
            writer.append({"depth": image + 1, "height": image})
    clip = mtcodec.open(f"{url}/c.mtc", tasks="height")
    counter.take()
    assert all(np.array_equal(frame["height"], image) for frame, image in zip(clip, noise, strict=True))
    assert len(counter.take()) == 2  # the head of the group, and the section
    source = clip.source
    assert isinstance(source, UrlSource) and source.fetched < 0.75 * (tmp_path / "c.mtc").stat().st_size


def test_without_index_the_url_is_read_through(site: tuple[str, Counter], tmp_path: Path) -> None:
    url, counter = site
    data = without_index(write_clip(tmp_path / "c.mtc", 40, group=4).read_bytes())
    (tmp_path / "open.mtc").write_bytes(data)
    with pytest.warns(MtcodecWarning, match="read through"):
        clip = mtcodec.open(f"{url}/open.mtc")
    assert len(counter.take()) <= 5 + 10  # a request for every group
    assert np.array_equal(clip[:]["depth"], depths(range(40)))


def test_scenes_and_short_files(site: tuple[str, Counter], tmp_path: Path) -> None:
    url, _ = site
    (tmp_path / "scene.mtc").write_bytes(mtcodec.encode(frame_of(0), **FAST))
    assert np.array_equal(mtcodec.open(f"{url}/scene.mtc")[0]["depth"], frame_of(0)["depth"])
    write_clip(tmp_path / "c.mtc", 2)
    assert np.array_equal(mtcodec.open(f"{url}/c.mtc")[:]["depth"], depths(range(2)))


def test_what_does_not_answer(site: tuple[str, Counter]) -> None:
    with pytest.raises(SceneError, match="cannot read it"):
        mtcodec.open(f"{site[0]}/nothing.mtc")
