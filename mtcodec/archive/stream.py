"""An archive's scenes in sequence, shared among ranks and workers; a stream goes on where it was."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mtcodec.archive.read import RowGroup
from mtcodec.errors import UsageError

if TYPE_CHECKING:
    from mtcodec.archive.dataset import Archive

UNSET = -1  # no epoch was set


class Stream:
    """The samples of an archive in sequence, each once an epoch over all workers and ranks.

    Row groups go to ranks (of ``torch.distributed``, if it runs) and workers in turns. With ``shuffle``,
    row groups and the scenes in them come in an order that depends on ``seed`` and :meth:`set_epoch` alone.

    Args:
        archive: see :class:`mtcodec.archive.dataset.Archive`.
        batch: how many scenes are decoded together.
    """

    def __init__(self, archive: Archive, shuffle: bool, seed: int, batch: int) -> None:
        self.archive, self.shuffle, self.seed, self.batch = archive, shuffle, seed, batch
        self._epoch_set: Any = [UNSET]  # by set_epoch; all processes see the same where torch runs
        self._epoch = 0  # that is begun, or of a loaded state
        self._yielded = 0  # samples of this epoch that this process has given
        self._resume: tuple[int, tuple[int, int]] | None = None
        """Samples that the next iteration leaves out, and the share (see :func:`share`) that they are of."""

    @property
    def epoch(self) -> int:
        """The epoch of the next iteration."""
        epoch = int(self._epoch_set[0])
        return self._epoch if epoch == UNSET else epoch

    def set_epoch(self, epoch: int) -> None:
        """Another order, if shuffled, from the next iteration on; workers that persist see it, too.

        The epoch of a loaded state goes on where it was.

        Raises:
            UsageError: a negative number.
        """
        if epoch < 0:
            raise UsageError(f"an epoch is a number from 0 on, not {epoch}")
        self._epoch_set[0] = epoch
        self._turn_to(epoch)

    def _turn_to(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._epoch, self._yielded, self._resume = epoch, 0, None

    def state_dict(self) -> dict[str, Any]:
        """How far this process is, for :meth:`load_state_dict`; in a worker, how far the worker is."""
        place, places = share()
        progress = {"epoch": self._epoch, "given": self._yielded, "place": place, "places": places}
        return {**self._settings(), **progress}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iteration go on after the samples that had been given.

        Raises:
            UsageError: a state of another stream; iterating, of another number of ranks and workers.
        """
        try:
            settings = {name: state[name] for name in self._settings()}
            epoch, yielded = int(state["epoch"]), int(state["given"])
            state_share = int(state["place"]), int(state["places"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError("not the state of a stream") from error
        if settings != self._settings():
            raise UsageError("the state of a stream of another archive, shuffle or seed")
        self._epoch, self._yielded, self._resume = epoch, yielded, (yielded, state_share)
        if worker_info() is None:  # else an epoch that was set holds
            self._epoch_set[0] = epoch

    def _settings(self) -> dict[str, Any]:
        return {"scenes": len(self.archive), "shuffle": self.shuffle, "seed": self.seed}

    def row_groups(self, epoch: int | None = None) -> list[RowGroup]:
        """The row groups of this process, in the order of the epoch."""
        row_groups = list(self.archive.row_groups)
        if self.shuffle:
            random.Random(f"{self.seed} {self.epoch if epoch is None else epoch}").shuffle(row_groups)
        place, places = share()
        return row_groups[place::places]

    def __iter__(self) -> Iterator[Any]:
        epoch = self.epoch
        self._turn_to(epoch)
        skip, skip_share = self._resume or (0, share())
        self._yielded, self._resume = skip, None
        if skip_share != share():
            raise UsageError("the state of another rank or worker, or of another number of them")
        row_groups = self.row_groups(epoch)
        while row_groups and skip >= row_groups[0].rows:
            skip -= row_groups.pop(0).rows
        for row_group, entries in self.archive.reader.entries_ahead(row_groups, self.archive.tasks):
            if self.shuffle:
                order = random.Random(f"{self.seed} {epoch} {row_group.shard} {row_group.index}")
                order.shuffle(entries)
            for first in range(skip, len(entries), self.batch):
                for sample in self.archive.samples(entries[first : first + self.batch]):
                    self._yielded += 1
                    yield sample
            skip = 0


def worker_info() -> Any:
    """What torch says of the ``DataLoader``'s worker that this process is, or None."""
    torch: Any = sys.modules.get("torch")  # where it is not imported, nothing of it runs
    return None if torch is None else torch.utils.data.get_worker_info()


def share() -> tuple[int, int]:
    """Place of this process among all ranks and workers, and their number; (0, 1) without torch."""
    rank, ranks = 0, 1
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    if worker := worker_info():
        rank, ranks = rank * worker.num_workers + worker.id, ranks * worker.num_workers
    return rank, ranks
