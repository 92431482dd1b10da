"""The page without a browser: what it holds, what it may load, and that nothing in a file becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

import imagecodecs
import numpy as np
import pytest
from view.pages import BLUE, HEIGHT, RED, WIDTH, Element, Make, Pixels, Tree

import mtcodec
from mtcodec.container import mtc as container
from mtcodec.container import notes
from mtcodec.container.mtc import Reader
from mtcodec.container.section import NOTES
from mtcodec.files.trees.search import SceneFiles
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

HOSTILE = (
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a'b\"c&amp;<b>",
    "\udcff\u202e",
)


def picture(image: Element) -> np.ndarray:
    """Pixels of an image of the page; its attributes must state their size."""
    kind, text = re.fullmatch(r"data:image/(\w+);base64,([\w+/=]+)", image.attributes["src"]).groups()
    decode = {"webp": imagecodecs.webp_decode, "jpeg": imagecodecs.jpeg8_decode}[kind]
    pixels = decode(base64.b64decode(text))[..., :3]
    assert pixels.shape[:2] == (int(image.attributes["height"]), int(image.attributes["width"]))
    return pixels


def loads_nothing(html: bytes, root: Element) -> None:
    """Assert that a page has no address but data URIs, no style and no script that its policy lacks."""
    assert not re.search(rb"(?i)https?:|//[a-z0-9]+\.|@import|url\((?!#map-)", html)
    policy = root.all("meta")[1].attributes["content"]
    for tag in ("style", "script"):
        (element,) = root.all(tag)
        assert (
            element.text
            == files("mtcodec.view").joinpath(f"page.{'css' if tag == 'style' else 'js'}").read_text()
        )
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:; ")
    pending = [root]
    while pending:
        element = pending.pop()
        pending += element.children
        names = set(element.attributes)
        assert "style" not in names and not any(name.startswith("on") for name in names), element
        assert element.attributes.get("src", "data:").startswith("data:")
        assert element.attributes.get("href", "#").startswith("#")
        assert element.tag not in ("iframe", "object", "embed", "link", "base", "form")


def test_a_scene_with_its_original(data: bytes, original: SceneFiles, make: Make, pixels: Pixels) -> None:
    html = make({"office": data}, original)
    root = Tree(html).root
    loads_nothing(html, root)
    (heading,) = root.all("h1")
    assert heading.text == "office"
    figures = root.all("figure", "task")
    assert [figure.attributes["data-task"] for figure in figures] == ["rgb", "depth", "normal", "semantic"]
    for figure in figures:
        name = figure.attributes["data-task"]
        (slider,) = figure.all("input", "at")
        assert slider.attributes["aria-label"].startswith(f"{name}: ")
        assert figure.all("img", "decoded")[0].attributes["alt"].startswith(f"{name}, decoded")
        assert figure.all("img", "original")[0].attributes["alt"] == f"{name}, original"
        assert len(figure.all("img", "error")) == (name != "semantic")
    decoded, first = (picture(figures[0].all("img", role)[0]) for role in ("decoded", "original"))
    assert decoded.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(decoded.astype(int) - BLUE).max() <= 6 and (first == RED).all()


def test_measures_are_those_of_the_original(data: bytes, original: SceneFiles, make: Make) -> None:
    back = mtcodec.decode(data)
    figures = Tree(make({"office": data}, original)).root.all("figure", "task")
    shown = {figure.attributes["data-task"]: figure.all("p", "measure")[0].text for figure in figures}
    truth = np.where(back["depth"] > 0, 1, 0)
    depth = imagecodecs.png_decode(original.files["depth"].read_bytes())
    measures = measure(Signal.from_image(USUAL["depth"], depth), back["depth"])
    assert truth.any() and shown["depth"] == f"RMSE {measures['rmse']:.3g} mm" and 95 < measures["rmse"] < 105
    rgb = imagecodecs.png_decode(original.files["rgb"].read_bytes())
    assert shown["rgb"] == f"PSNR {measure(Signal.from_image(USUAL['rgb'], rgb), back['rgb'])['psnr']:.1f} dB"
    assert shown["semantic"] == "exact"


def test_bytes_of_sections_add_up(data: bytes, original: SceneFiles, make: Make) -> None:
    root = Tree(make({"office": data}, original)).root
    (section,) = root.all("section", "bytes")
    names = [item.all("b")[0].text for item in section.all("li")]
    assert names == ["header", "holes", "rgb", "depth", "normal", "semantic"]
    counts = [
        int(item.all("p")[1].all("span")[0].text.split()[0].replace(",", "")) for item in section.all("li")
    ]
    header = Reader(data).header
    order = ["holes0", "rgb", "depth", "normal", "semantic"]
    assert counts == [header.size, *(header.section(name).length for name in order)]
    assert sum(counts) == len(data)
    shares = [float(item.all("p")[1].all("span")[1].text.removesuffix(" %")) for item in section.all("li")]
    assert shares == pytest.approx([100 * count / len(data) for count in counts], abs=0.051)
    bars = section.all("svg", "bar")[0].all("rect")
    assert sum(float(bar.attributes["width"]) for bar in bars) == pytest.approx(1000, abs=0.1)
    before = sum(path.stat().st_size for path in original.files.values())
    assert f"{before / len(data):.3g} times smaller" in root.all("p", "hero")[0].text


def test_without_an_original_there_is_nothing_to_compare(data: bytes, make: Make) -> None:
    root = Tree(make({"office": data}, tasks=["depth", "semantic"])).root
    assert [figure.attributes["data-task"] for figure in root.all("figure")] == ["depth", "semantic"]
    assert not root.all("input", "at") and not root.all("img", "original") and not root.all("img", "error")
    assert "plain" in root.all("body")[0].attributes["class"].split()
    assert "times smaller" not in root.text.partition("mtcodec view")[0].split("use strict")[0]


def test_depth_has_a_scale_with_its_unit_and_hatched_holes(
    data: bytes, original: SceneFiles, make: Make, pixels: Pixels
) -> None:
    depth = Tree(make({"office": data}, original)).root.all("figure")[1]
    values, errors = depth.all("div", "scale")
    assert re.fullmatch(r"(≤ )?1\.\d\d1\.\d\d(≥ )?2\.\d\d m", values.all("p")[0].text)
    assert re.fullmatch(r"error 0[\d.]+1\d\d mm", errors.all("p")[0].text)
    assert "4.2 % holes, hatched" in depth.text
    seen = picture(depth.all("img", "decoded")[0])
    gray = (seen == seen[..., :1]).all(axis=-1)
    assert (gray == (pixels["depth"] == 0)).all() and len(np.unique(seen[gray])) == 2


def test_ids_have_a_legend(data: bytes, make: Make) -> None:
    labels = Tree(make({"office": data})).root.all("figure")[-1]
    items = labels.all("ul", "ids")[0].all("li")
    assert [item.text for item in items] == ["0", "7", "14"]
    colours = {item.all("rect")[0].attributes["fill"] for item in items}
    seen = picture(labels.all("img")[0])
    assert {"#" + bytes(colour).hex() for colour in np.unique(seen.reshape(-1, 3), axis=0)} == colours


def test_the_same_files_make_the_same_page(data: bytes, original: SceneFiles, make: Make) -> None:
    assert make({"a": data, "b": data}, original) == make({"a": data, "b": data}, original)
    assert make({"a": data}, original) == make({"a": data}, original)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_a_name(name: str, data: bytes, original: SceneFiles, make: Make) -> None:
    for files_of in ({name: data}, {name: data, "other": data}):
        html = make(files_of, original)
        root = Tree(html).root
        loads_nothing(html, root)
        shown = name.encode("utf-8", "replace").decode()
        assert shown in [heading.text for heading in root.all("h1") + root.all("h2")]
        assert shown in [article.attributes["data-name"] for article in root.all("article")]


def test_notes_of_a_stranger_are_no_markup(pixels: Pixels, make: Make) -> None:
    data = mtcodec.encode({"depth": pixels["depth"]}, 60, coding="classical", measures=True)
    html = make({"office": data})
    assert "RMSE" in Tree(html).root.all("figure")[0].text
    reader = Reader(data)
    payloads = {s.name: reader.payload(s.name) for s in reader.header.sections}
    for depth_notes in (
        {"unit": "<b>1mm", "psnr": "<b>high"},
        {"unit": "0mm", "rmse": float("nan"), "psnr": float("inf")},
        {"unit": "9" * 60, "psnr": 10**90, "exact": 0},
        {"bytes": "<b>", "sections": 5, "bpp": "x", "unit": 7},
    ):
        payloads[NOTES] = notes.pack({"depth": depth_notes})
        root = Tree(make({"office": container.build(reader.header, payloads)})).root
        figure = root.all("figure")[0]
        assert not figure.all("b") and " mm" not in figure.all("p", "measure")[0].text
        assert "bytes to decode it alone (" in figure.text


def test_damage_is_shown_in_its_place(data: bytes, original: SceneFiles, make: Make) -> None:
    section = Reader(data).header.section("depth")
    damaged = bytearray(data)
    damaged[section.offset + 3] ^= 255
    root = Tree(make({"office": bytes(damaged)}, original)).root
    figures = {figure.attributes["data-task"]: figure for figure in root.all("figure")}
    assert figures["depth"].all("p", "problem")[0].text == "damaged (checksum)"
    assert figures["depth"].all("svg", "lost")[0].attributes["viewbox"] == f"0 0 {WIDTH} {HEIGHT}"
    assert not figures["depth"].all("img") and len(figures["rgb"].all("img")) == 3


def test_an_original_of_another_size_is_no_comparison(
    data: bytes, original: SceneFiles, make: Make, pixels: Pixels
) -> None:
    small = mtcodec.encode({"rgb": pixels["rgb"][:20]}, 60, coding="classical")
    root = Tree(make({"office": small}, original)).root
    assert "no comparison: " in root.all("p", "problem")[0].text and not root.all("img", "original")


def test_a_contact_sheet(data: bytes, original: SceneFiles, make: Make) -> None:
    html = make({"a/1": data, "scene": data}, original, count=9)
    root = Tree(html).root
    loads_nothing(html, root)
    assert "the first 2 of 9 scenes" in root.all("p", "facts")[0].text
    orders = [item.attributes for item in root.all("input") if item.attributes.get("name") == "order"]
    assert [attributes["value"] for attributes in orders] == ["name", "bytes", "error"]
    first, second = root.all("article")
    assert "data-psnr" not in first.attributes and float(second.attributes["data-psnr"]) > 0
    assert second.all("a", "opener")[0].attributes == {
        "class": "opener", "href": "#scene-2", "aria-label": "Open scene"
    }  # fmt: skip
    assert not first.all("img", "original") and len(second.all("img", "original")) == 4
    texts = re.findall(rb"base64,([^\"]+)", html)
    assert len(texts) == 4 + 4 + 4 + 3  # every picture once


def test_large_images_are_made_smaller(make: Make) -> None:
    rng = np.random.default_rng(0)
    large = rng.integers(0, 255, (40, 2500, 3), np.uint8)
    data = mtcodec.encode({"rgb": large}, 10, coding="classical", effort="fast")
    for count, side in ((1, 1024), (2, 768), (11, 512), (41, 384)):
        html = make({str(k): data for k in range(min(count, 2))}, count=count) if count < 3 else b""
        if html:
            image = Tree(html).root.all("img")[0]
            assert picture(image).shape[1] == side and f"at most {side} pixels" in html.decode()
            assert len(html) < 250_000


def test_numbers_are_text_and_images_have_their_own_sizes(pixels: Pixels, make: Make) -> None:
    scene = {**pixels, "semantic": pixels["semantic"][::2, ::2], "mask": pixels["semantic"][..., None],
             "pose": np.diag([0.5, 1, 1, -2.25]), "accel": np.array([1, 9.75, np.nan], np.float32),
             "seconds": np.float64(21.5), "lidar": np.arange(1000),
             "table": np.zeros((40, 9), np.uint8)}  # fmt: skip
    data = mtcodec.encode(scene, numbers="pose,table", coding="classical", effort="fast")
    html = make({"office": data})
    root = Tree(html).root
    loads_nothing(html, root)
    figures = {figure.attributes["data-task"]: figure for figure in root.all("figure", "task")}
    assert list(figures) == [*pixels, "mask", "pose", "accel", "seconds", "lidar", "table"]
    texts = {name: figure.all("pre")[0].text for name, figure in figures.items() if figure.all("pre")}
    assert list(texts) == ["pose", "accel", "seconds", "lidar", "table"]
    assert [line.split() for line in texts["pose"].split("\n")][3] == ["0.0", "0.0", "0.0", "-2.25"]
    assert (texts["accel"].split(), texts["seconds"]) == (["1.0", "9.75", "nan"], "21.5")
    assert texts["lidar"].endswith("126  127\nand 872 more numbers")
    assert texts["table"].endswith("0  …\nand 24 more rows") and texts["table"].startswith("0  0  0")
    assert picture(figures["semantic"].all("img")[0]).shape == (HEIGHT // 2, WIDTH // 2, 3)
    assert picture(figures["mask"].all("img")[0]).shape == (HEIGHT, WIDTH, 3)
    assert not figures["pose"].all("button") and not figures["pose"].all("img")
    (facts,) = root.all("p", "facts")
    assert facts.text.startswith(f"5 images of up to {WIDTH} × {HEIGHT} · numbers of 5 tasks · ")
    details = {name: figure.all("p", "detail")[0].text for name, figure in figures.items()}
    assert f" · {WIDTH // 2}×{HEIGHT // 2} · uint8" in details["semantic"]
    assert " · 4×4 numbers · float64" in details["pose"]
