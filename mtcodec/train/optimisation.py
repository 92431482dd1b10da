"""A training step: a batch, its gradients, an update of the weights, and an average of all weights so far."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.train import processes
from mtcodec.train.dataset import Batch, Scenes
from mtcodec.train.objective import Balance, draw_qualities, objective
from mtcodec.train.plan import Plan

EMA_EVERY = 4  # training steps
WARMUP_PASSES = 3  # before a graph of CUDA is captured


class Optimisation:
    """A model in training, with all that changes along it; :meth:`state` is what a checkpoint keeps.

    On CUDA a forward and backward pass is compiled, and its kernels are captured once and replayed (a CUDA
    graph): small networks otherwise wait for Python. Nothing in a pass may therefore read values back from
    the device.
    """

    def __init__(self, model: MultiTask, scenes: Scenes, plan: Plan, bfloat16: bool) -> None:
        self.model, self.scenes, self.plan, self.bfloat16 = model, scenes, plan, bfloat16
        # a stream has one quality
        self.task_quality_prob = plan.task_quality_prob if model.graph.separable else 0.0
        self.average, self.averaged = copy.deepcopy(model).requires_grad_(False), 0  # and its updates
        self.balance = Balance(model, plan.balance).to(plan.device)
        self.optimizer = make_optimizer(model, plan)
        self.parameters = list(model.parameters())
        self.cuda = plan.device.startswith("cuda")
        self.graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}
        self.objective_parts = self.forward
        if self.cuda:  # with noise from torch's own generator
            options: dict[str, Any] = {"fallback_random": True}
            self.objective_parts = torch.compile(self.forward, dynamic=False, options=options)
        self.names: list[str] = []
        self.sums: Tensor | None = None  # of the parts of the objective since :meth:`means`

    def training_step(self, count: int, side: int, rate: float) -> None:
        """Learn from ``count`` crops of ``side``×``side``. Infinite gradients change nothing."""
        self.gradients(count, side)
        processes.average_gradients(self.parameters)
        norm = nn.utils.clip_grad_norm_(self.parameters, 1.0)
        assert self.sums is not None
        self.sums[-1] += norm
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        self.optimizer.found_inf = (~norm.isfinite()).float()  # type: ignore[attr-defined]
        self.optimizer.step()

    def gradients(self, count: int, side: int) -> None:
        """Set the gradients of a random batch."""
        if not self.cuda:
            self.optimizer.zero_grad(set_to_none=True)
            self.passes(count, side)
            return
        if (count, side) not in self.graphs:
            self.capture(count, side)
        self.graphs[count, side].replay()

    def capture(self, count: int, side: int) -> None:
        """Capture the kernels of :meth:`passes` for batches of one size, and forget those of others."""
        self.graphs.clear()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARMUP_PASSES):
                self.optimizer.zero_grad(set_to_none=True)
                self.passes(count, side)
        torch.cuda.current_stream().wait_stream(stream)
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.passes(count, side)
        self.graphs[count, side] = graph

    def passes(self, count: int, side: int) -> None:
        """Forward and backward pass over a random batch."""
        plan, task_count = self.plan, len(self.scenes.tasks)
        batch = self.scenes.batch(count, side, plan.task_dropout)
        levels = draw_qualities(count, task_count, self.task_quality_prob, plan.lambdas, plan.device)
        parts = self.objective_parts(batch, levels)
        parts["loss"].backward()
        values = torch.stack([*(value.detach() for value in parts.values()), parts["loss"].new_zeros(())])
        if self.sums is None:
            self.names, self.sums = [*parts, "gradient"], torch.zeros_like(values)
        self.sums += values
        errors = [parts[f"mse_{name}"].detach() for name in self.model.config.task_names]
        self.balance.update(torch.stack(errors))

    def forward(self, batch: Batch, levels: Tensor) -> dict[str, Tensor]:
        """The objective and its parts."""
        device_type = self.plan.device.partition(":")[0]
        with torch.autocast(device_type, torch.bfloat16, enabled=self.bfloat16, cache_enabled=False):
            out = self.model(batch.planes, batch.present, levels)
        return objective(self.model, out, batch, levels, self.balance, self.plan.shared_weight)

    def means(self, steps: int) -> dict[str, float]:
        """Means of the objective's parts and the gradient's norm over the last ``steps`` training steps."""
        assert self.sums is not None
        means = dict(zip(self.names, (round(v / steps, 5) for v in self.sums.tolist())))
        self.sums.zero_()
        return means

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average towards the weights: exponentially, over at most the last tenth of a run."""
        weight = max(1 - self.plan.ema, 10 / (10 + self.averaged))
        averages: list[Tensor] = [*self.average.parameters()]
        torch._foreach_lerp_(averages, [*self.model.parameters()], weight)
        self.averaged += 1

    def state(self) -> dict[str, Any]:
        cuda = torch.cuda.get_rng_state() if self.cuda else torch.empty(0)
        return {
            "model": self.model.state_dict(), "average": self.average.state_dict(),
            "averaged": self.averaged, "optimizer": self.optimizer.state_dict(),
            "balance": self.balance.state_dict(), "torch_rng": torch.get_rng_state(), "cuda_rng": cuda,
        }  # fmt: skip

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from the state of a checkpoint."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.averaged = state["averaged"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.balance.load_state_dict(state["balance"])
        torch.set_rng_state(state["torch_rng"].cpu())
        if self.cuda and state["cuda_rng"].numel():
            torch.cuda.set_rng_state(state["cuda_rng"].cpu())


def make_optimizer(model: MultiTask, plan: Plan) -> torch.optim.Optimizer:
    """AdamW; bases and linear paths, which start as good transforms, move at a twentieth of the rate."""
    slow: list[nn.Parameter] = []
    fast: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (slow if ".linear." in name or ".basis." in name else fast).append(parameter)
    if plan.optimizer == "adam":
        fast, slow = [*fast, *slow], []
    groups = [{"params": fast, "scale": 1.0}, {"params": slow, "scale": 0.05}]
    groups = [group for group in groups if group["params"]]
    if plan.optimizer == "adam":
        return torch.optim.Adam(groups, fused=True)
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
