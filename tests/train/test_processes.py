"""Several processes train one model, each with crops of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import SCENES, SMALL, TASKS

from mtcodec.networks.config import ModelConfig
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.weights import file as weights
from mtcodec.train.dataset import Batch, Scenes
from mtcodec.train.objective import draw_qualities
from mtcodec.train.optimisation import Optimisation
from mtcodec.train.plan import Plan

pytestmark = pytest.mark.training

SCRIPT = """
import sys
from pathlib import Path
import torch
from mtcodec.cli import app
from mtcodec.train import loop, processes
rank = __import__("os").environ["RANK"]
training_step = loop.Optimisation.training_step
def watched(self, *arguments):
    batch = self.scenes.batch(1, 64, generator=None)
    training_step(self, *arguments)
    torch.save([batch.planes["rgb"], *self.model.parameters()], Path(sys.argv[-1]).with_suffix(f".{rank}"))
loop.Optimisation.training_step = watched
app()
"""


def test_processes_stay_together(tmp_path: Path) -> None:
    """As ``torchrun --nproc-per-node 2`` starts them: other crops, the same parameters, one log."""
    (tmp_path / "script.py").write_text(SCRIPT)
    sizes = ",".join(f"{n}={'x'.join(map(str, v)) if isinstance(v, tuple) else v}" for n, v in SMALL.items())
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"),
        *(str(tmp_path / "script.py"), "train", str(SCENES), "--tasks", "rgb,depth,normal", "--steps", "3"),
        *("--batch", "1", "--crop", "64", "--device", "cpu", "--precision", "float32", "--held-out", "2"),
        *("--sizes", sizes, "--threads", "1", "-o", str(tmp_path / "w.safetensors")),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    states = [torch.load(tmp_path / f"w.{rank}") for rank in range(2)]
    assert not torch.equal(states[0][0], states[1][0])
    assert all(torch.equal(a, b) for a, b in zip(states[0][1:], states[1][1:]))
    log = [json.loads(line) for line in (tmp_path / "w.log.jsonl").read_text().splitlines()]
    assert sum("plan" in entry for entry in log) == 1 and log[-1]["end"]
    assert weights.describe(tmp_path / "w.safetensors").training["steps"] == 3


def test_a_pass_can_be_compiled_as_a_whole() -> None:
    """Nothing in it falls back to Python, and compiled gradients are the same."""
    torch.manual_seed(0)
    tasks = TASKS[1:]  # depth, with holes, and normals
    model = MultiTask(ModelConfig(tasks, **SMALL))
    scenes = object.__new__(Scenes)
    optimisation = Optimisation(model, scenes, Plan(), bfloat16=False)
    planes = {t.name: torch.rand(2, t.channels, 64, 64) for t in tasks}
    batch = Batch(planes, torch.tensor([[1.0, 1.0], [1.0, 0.0]]), {"depth": torch.ones(2, 1, 64, 64)})
    levels = draw_qualities(2, len(tasks), 0.5)
    compiled = torch.compile(optimisation.forward, backend="aot_eager", fullgraph=True)
    results = []
    for forward in (optimisation.forward, compiled):
        torch.manual_seed(1)
        model.zero_grad(set_to_none=True)
        parts = forward(batch, levels)
        parts["loss"].backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        results.append((float(parts["loss"].detach()), gradients))
    assert abs(results[0][0] - results[1][0]) < 1e-5 * results[0][0]
    assert len(results[0][1]) == len(results[1][1])
    for plain, of_compiled in zip(results[0][1], results[1][1]):
        assert torch.allclose(plain, of_compiled, rtol=1e-3, atol=1e-5 * float(plain.abs().max() + 1e-9))
