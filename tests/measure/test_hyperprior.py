"""The pretrained Scale Hyperprior as a baseline, with random weights in files like those of the model zoo."""

from __future__ import annotations

import importlib.util
import sys
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("imagecodecs")
pytest.importorskip("scipy")

from mtcodec.errors import DependencyError, MtcodecError, UsageError, WeightsInvalid, WeightsNotFound
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.measure import hyperprior, image_codecs
from mtcodec.measure.evaluate import evaluate
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, Task

needs_compressai = pytest.mark.skipif(
    importlib.util.find_spec("compressai") is None, reason="needs compressai"
)
NAMES = {1: "bmshj2018-hyperprior-1-7eb97409.pth.tar", 2: "bmshj2018-hyperprior-2-93677231.pth.tar"}
OLD = {"matrices.": "_matrices.", "biases.": "_biases.", "factors.": "_factors."}


RGB, DEPTH, NORMAL = USUAL["rgb"], USUAL["depth"], USUAL["normal"]


def rgb() -> Signal:
    return Signal.from_image(RGB, images()["rgb"])


def images(height: int = 70, width: int = 100) -> dict[str, np.ndarray]:
    """A smooth image of each lossy task; sides that are no multiples of 64."""
    y, x = np.mgrid[:height, :width]
    wave = 0.5 + 0.25 * np.sin(x / 19) + 0.25 * np.cos(y / 17)
    planes = np.rint(255 * np.stack([wave, 1 - wave, wave**2], axis=-1)).astype(np.uint8)
    depth = np.rint(6000 + 18000 * wave).astype(np.uint16)
    return {"rgb": planes, "depth": depth, "normal": planes[..., ::-1].copy()}


def network_of(quality: int, seed: int) -> dict[str, torch.Tensor]:
    """The state of an untrained network of the zoo's size, its tables made."""
    torch.manual_seed(seed)
    network = hyperprior._zoo().bmshj2018_hyperprior(quality, pretrained=False)
    network.update()
    state: dict[str, torch.Tensor] = network.state_dict()
    return state


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of two qualities under the zoo's names, one with parameters named as in old versions."""
    directory = tmp_path_factory.mktemp("zoo")
    torch.save(network_of(1, 1), directory / NAMES[1])
    old = {}
    for name, tensor in network_of(2, 2).items():
        for new, before in OLD.items():
            name = name.replace("entropy_bottleneck." + new, "entropy_bottleneck." + before)
        old[name] = tensor
    assert any("_matrices." in name for name in old)
    torch.save(old, directory / NAMES[2])
    (directory / "bmshj2018-hyperprior-ms-ssim-1-5cf249be.pth.tar").write_bytes(b"another model")
    return directory


@needs_compressai
@pytest.mark.parametrize("task", [RGB, DEPTH, NORMAL], ids=lambda t: t.name)
@pytest.mark.parametrize("quality", [1, 2])
def test_real_streams(task: Task, quality: int, checkpoints: Path) -> None:
    image, where = images()[task.name], str(checkpoints)
    signal = Signal.from_image(task, image)
    payload = image_codecs.encode("hyperprior", signal, quality, where)
    assert payload == image_codecs.encode("hyperprior", signal, quality, where)
    decoded = image_codecs.decode("hyperprior", payload, signal, where)
    assert decoded.shape == image.shape and decoded.dtype == image.dtype

    network = hyperprior.model(float(quality), where)
    assert (network.N, network.M) == (128, 192)
    if task is DEPTH:  # the steps once more, by hand
        planes = np.repeat((image / image.max())[None], 3, axis=0)
    else:
        planes = np.moveaxis(image / 255, 2, 0)
    padded = np.pad(planes, ((0, 0), (0, 58), (0, 28)), mode="edge")[None].astype(np.float32)
    with torch.no_grad():
        compressed = network.compress(torch.from_numpy(padded))
        x_hat = network.decompress(compressed["strings"], compressed["shape"])["x_hat"][
            0, :, :70, :100
        ].numpy()
    assert tuple(compressed["shape"]) == (2, 2)
    strings = sum(len(string) for (string,) in compressed["strings"])
    assert len(payload) == strings + 9 and strings > 9
    expected = x_hat.mean(0) * image.max() if task is DEPTH else np.moveaxis(x_hat.clip(0, 1), 0, 2) * 255
    assert np.abs(decoded - expected).max() <= 0.5 + image.max() * 1e-5


class Shelf:
    """A network that stores planes as they are."""

    def compress(self, planes: torch.Tensor) -> dict[str, Any]:
        assert planes.shape[1] == 3 and planes.shape[2] % 64 == planes.shape[3] % 64 == 0
        return {"strings": [[planes.numpy().tobytes()], [b"hyper"]]}

    def decompress(self, strings: list[list[bytes]], shape: list[int]) -> dict[str, torch.Tensor]:
        assert strings[1] == [b"hyper"]
        planes = np.frombuffer(strings[0][0], np.float32).reshape(1, 3, *(64 * side for side in shape))
        return {"x_hat": torch.from_numpy(planes.copy())}


@pytest.mark.parametrize("task", [RGB, DEPTH, NORMAL], ids=lambda t: t.name)
def test_what_is_around_the_network_loses_nothing(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperprior, "model", lambda quality, checkpoints: Shelf())
    image = images()[task.name]
    image[10:20, 30:40] = 128 if task is NORMAL else 0  # holes of depth and of normals
    signal = Signal.from_image(task, image)
    payload = image_codecs.encode("hyperprior", signal, 1)
    assert np.array_equal(image_codecs.decode("hyperprior", payload, signal), image)
    planes = np.frombuffer(payload[9:-5], np.float32).reshape(3, 128, 128)
    assert (
        planes.max() == 1
        if task is DEPTH
        else planes[0, 0, 0] == np.float32(image[0, 0, 0]) / np.float32(255)
    )
    with pytest.raises(MtcodecError, match="size"):
        image_codecs.decode("hyperprior", payload, Signal.from_image(task, image[:-1]))


@needs_compressai
def test_threads_are_left_alone(checkpoints: Path) -> None:
    before = torch.get_num_threads()
    image_codecs.encode("hyperprior", rgb(), 1, str(checkpoints))
    assert torch.get_num_threads() == before and torch.is_grad_enabled()


@needs_compressai
def test_constant_and_float_images(checkpoints: Path) -> None:
    where, heat = str(checkpoints), Task("heat", "image", 1, ("float32",))
    for task, image in (
        (DEPTH, np.zeros((64, 64), np.uint16)),
        (heat, np.full((64, 65), -3.5, np.float32)),
        (heat, (images()["depth"] / 3000 - 4).astype(np.float32)),
    ):
        signal = Signal.from_image(task, image)
        payload = image_codecs.encode("hyperprior", signal, 1, where)
        decoded = image_codecs.decode("hyperprior", payload, signal, where)
        assert decoded.dtype == image.dtype and decoded.shape == image.shape
        assert image.min() <= decoded.min() and decoded.max() <= image.max()


@needs_compressai
def test_streams_of_other_sizes_are_refused(checkpoints: Path) -> None:
    where, signal = str(checkpoints), rgb()
    payload = image_codecs.encode("hyperprior", signal, 1, where)
    for damaged in (payload[:5], payload[:9]):
        with pytest.raises(MtcodecError, match="rgb"):
            image_codecs.decode("hyperprior", damaged, signal, where)
    with pytest.raises(MtcodecError, match="size"):
        image_codecs.decode("hyperprior", payload, Signal.from_image(RGB, signal.original[:-1]), where)


@needs_compressai
def test_checkpoint_identity_and_cache(checkpoints: Path, tmp_path: Path) -> None:
    where = str(checkpoints)
    first = hyperprior.identity((1.0,), where)
    assert (
        first
        == hyperprior.identity((1.0,), where)
        == hyperprior.identity((1.0,), where + "/*hyperprior-{q}-7*")
    )
    other = tmp_path / "other"
    other.mkdir()
    torch.save(network_of(1, 7), other / NAMES[1])
    assert len({first, hyperprior.identity((2.0,), where), hyperprior.identity((1.0,), str(other))}) == 3


class Plain:
    """A codec that stores a scene as it is."""

    def encode(self, scene: dict[str, Any], *, quality: float) -> bytes:
        self.scene = scene
        return bytes(1000)

    def decode(self, data: bytes) -> dict[str, Any]:
        return self.scene


def plain_info(data: bytes) -> dict[str, Any]:
    tasks = {name: {"bytes": 300, "sections": [name]} for name in ("rgb", "depth")}
    sections = [{"name": name, "bytes": 300} for name in tasks]
    return {"overhead_bytes": 400, "sections": sections, "tasks": tasks}


@pytest.fixture
def scene(tmp_path: Path) -> SceneFiles:
    import imagecodecs

    path = tmp_path / "scenes" / "a"
    path.mkdir(parents=True)
    for name in ("rgb", "depth"):
        (path / f"{name}.png").write_bytes(imagecodecs.png_encode(images()[name]))
    return find_scenes(path)[0]


@needs_compressai
@pytest.mark.parametrize("workers", [1, 2])
def test_evaluation_and_cached_curves(
    scene: SceneFiles, checkpoints: Path, tmp_path: Path, workers: int
) -> None:
    pytest.importorskip("matplotlib")
    said: list[str] = []
    options: dict[str, Any] = {
        "info": plain_info, "grids": {"hyperprior": (1, 2), "jpeg": (20, 80)}, "workers": workers,
        "out": tmp_path / "out", "progress": lambda what, *_: said.append(what),
    }  # fmt: skip
    run = {"plain": Plain()}, [scene], [50], ["jpeg", "hyperprior"]
    results = evaluate(*run, checkpoints=str(checkpoints), **options)
    points = [p for p in results["classical"] if p["codec"] == "hyperprior"]
    assert [(p["task"], p["quality"]) for p in points] == [("depth", 1), ("depth", 2), ("rgb", 1), ("rgb", 2)]
    files = {p["task"]: p for p in points if p["quality"] == 1}
    payload = image_codecs.encode("hyperprior", rgb(), 1, str(checkpoints))
    assert files["rgb"]["bytes"] == len(payload)
    assert files["rgb"]["mse"] == pytest.approx(255**2 / 10 ** (files["rgb"]["psnr"] / 10))
    assert "hyperprior" in results["bd_rate"]["systems"] and "compressai" in results["versions"]
    matched = results["systems"]["plain"]["rows"][0]["matched"]
    assert {entry["codec"] for entry in matched["tasks"].values()} == {"jpeg"}

    said.clear()
    again = evaluate(*run, checkpoints=str(checkpoints), **options)
    assert again["classical"] == results["classical"] and set(said) == {"quality 50"}
    other = tmp_path / "other"
    other.mkdir()
    for quality in (1, 2):
        torch.save(network_of(quality, 5), other / NAMES[quality])
    changed = evaluate(*run, checkpoints=str(other), **options)
    assert "hyperprior rgb" in said and "jpeg rgb" not in said
    assert [p for p in changed["classical"] if p["codec"] == "hyperprior"] != points


# --- what can be missing -------------------------------------------------------------------------


def test_without_compressai(scene: SceneFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compressai", None)
    monkeypatch.setitem(sys.modules, "compressai.zoo", None)
    hyperprior.model.cache_clear()
    with pytest.raises(DependencyError, match=r"compressai: pip install 'mtcodec\[paper\]'") as caught:
        evaluate({"plain": Plain()}, [scene], [50], ["hyperprior"], info=plain_info)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 1


@needs_compressai
@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        urllib.error.HTTPError("https://example.org", 403, "Forbidden", None, None),  # type: ignore[arg-type]
        TimeoutError("timed out"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_without_network(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(url: str, **options: Any) -> None:
        asked.append(url)
        assert options["weights_only"] is True
        raise error

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    hyperprior.model.cache_clear()
    with pytest.raises(WeightsNotFound, match="--hyperprior-checkpoints") as caught:
        hyperprior.identity(hyperprior.QUALITIES, None)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 4
    assert asked[0].endswith(NAMES[1])


@needs_compressai
def test_downloaded_weights_are_used(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The default way, with a file's address in place of the zoo's."""
    urls = hyperprior._zoo().image.model_urls["bmshj2018-hyperprior"]["mse"]
    assert all(urls[q].endswith(NAMES[q]) for q in NAMES)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setitem(urls, 2, (checkpoints / NAMES[2]).as_uri())
    hyperprior.model.cache_clear()
    assert hyperprior.identity((2.0,), None) == hyperprior.identity((2.0,), str(checkpoints))
    assert [path.name for path in tmp_path.rglob("*.tar")] == [NAMES[2]]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setitem(urls, 1, (tmp_path / "missing.pth.tar").as_uri())
    with pytest.raises(WeightsNotFound, match="cannot download"):
        hyperprior.model(1.0, None)
    hyperprior.model.cache_clear()


def test_finding_checkpoints(tmp_path: Path) -> None:
    for name in (*NAMES.values(), "bmshj2018-hyperprior-ms-ssim-1-5cf249be.pth.tar", "q3-x.pt", "q3-y.pt"):
        (tmp_path / name).touch()
    assert hyperprior.checkpoint(1.0, str(tmp_path)).name == NAMES[1]
    assert hyperprior.checkpoint(2, f"{tmp_path}/*hyperprior-{{q}}-*").name == NAMES[2]
    assert hyperprior.checkpoint(3, f"{tmp_path}/q{{q}}-x.pt").name == "q3-x.pt"
    with pytest.raises(WeightsNotFound, match="hyperprior-3"):
        hyperprior.checkpoint(3, str(tmp_path))
    with pytest.raises(UsageError, match="2 checkpoints"):
        hyperprior.checkpoint(3, f"{tmp_path}/q{{q}}-*")


class Payload:
    """An object that no checkpoint may hold."""


@needs_compressai
def test_damaged_checkpoints(tmp_path: Path, checkpoints: Path) -> None:
    path, where = tmp_path / NAMES[1], str(tmp_path)
    good = (checkpoints / NAMES[1]).read_bytes()
    state = torch.load(checkpoints / NAMES[1], weights_only=True)
    del state["g_a.2.weight"]
    for content in (b"", b"no checkpoint at all", good[: len(good) // 2], state, {"g_a": Payload()}, [1, 2]):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        hyperprior.model.cache_clear()
        with pytest.raises(WeightsInvalid, match="quality 1") as caught:
            hyperprior.identity((1.0,), where)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="1 to 8"):
        hyperprior.model(9.0, where)
