"""An archive's scenes in sequence, shared among ranks and workers; a stream goes on where it was."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from mtcodec.archive.read import Group
from mtcodec.errors import UsageError

if TYPE_CHECKING:
    from mtcodec.archive.dataset import Archive

UNTOLD = -1  # no epoch was set


class Stream:
    """The samples of an :class:`Archive` in sequence, each once an epoch over all workers and ranks.

    Groups of rows go to ranks (of ``torch.distributed``, if it runs) and workers in turns. With ``shuffle``,
    groups and the scenes in them come in an order that depends on ``seed`` and :meth:`set_epoch` alone.
    """

    def __init__(self, archive: Archive, shuffle: bool, seed: int, batch: int) -> None:
        self.archive, self.shuffle, self.seed, self.batch = archive, shuffle, seed, batch
        self._told: Any = [UNTOLD]  # the epoch that was set; all processes see the same where torch runs
        self._at = 0  # the epoch that is begun, or that a loaded state is of
        self._given = 0  # samples of it that this process has given
        self._resume = 0  # samples that the next iteration leaves out,
        self._places: tuple[int, int] | None = None  # where this was the share; (place, of so many)

    @property
    def epoch(self) -> int:
        """The epoch of the next iteration."""
        told = int(self._told[0])
        return self._at if told == UNTOLD else told

    def set_epoch(self, epoch: int) -> None:
        """Another order, if shuffled, from the next iteration on; workers that persist are told, too.

        The epoch of a loaded state goes on where it was.

        Raises:
            UsageError: a negative number.
        """
        if epoch < 0:
            raise UsageError(f"an epoch is a number from 0 on, not {epoch}")
        self._told[0] = epoch
        self._turn_to(epoch)

    def _turn_to(self, epoch: int) -> None:
        if epoch != self._at:
            self._at, self._given, self._resume, self._places = epoch, 0, 0, None

    def state_dict(self) -> dict[str, Any]:
        """How far this process is, for :meth:`load_state_dict`; in a worker, how far the worker is."""
        place, places = share()
        return {**self._settings(), "epoch": self._at, "given": self._given, "place": place, "places": places}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next iteration goes on after the samples that had been given.

        Raises:
            UsageError: a state of another stream; iterating, of another number of ranks and workers.
        """
        try:
            settings = {name: state[name] for name in self._settings()}
            epoch, given = int(state["epoch"]), int(state["given"])
            places = int(state["place"]), int(state["places"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError("not the state of a stream") from error
        if settings != self._settings():
            raise UsageError("the state of a stream of another archive, shuffle or seed")
        self._at, self._given, self._resume, self._places = epoch, given, given, places
        if worker() is None:  # else an epoch that was set holds
            self._told[0] = epoch

    def _settings(self) -> dict[str, Any]:
        return {"scenes": len(self.archive), "shuffle": self.shuffle, "seed": self.seed}

    def groups(self, epoch: int | None = None) -> list[Group]:
        """The groups of this process, in the order of the epoch."""
        groups = list(self.archive.groups)
        if self.shuffle:
            random.Random(f"{self.seed} {self.epoch if epoch is None else epoch}").shuffle(groups)
        place, places = share()
        return groups[place::places]

    def __iter__(self) -> Iterator[Any]:
        epoch = self.epoch
        self._turn_to(epoch)
        skip, places = self._resume, self._places
        self._given, self._resume, self._places = skip, 0, None
        if places not in (None, share()):
            raise UsageError("the state of another rank or worker, or of another number of them")
        groups = self.groups(epoch)
        while groups and skip >= groups[0].rows:
            skip -= groups.pop(0).rows
        with closing(self.archive.opened.ahead(groups, self.archive.tasks)) as fetched:
            for group, entries in fetched:
                if self.shuffle:
                    random.Random(f"{self.seed} {epoch} {group.part} {group.group}").shuffle(entries)
                for at in range(skip, len(entries), self.batch):
                    for sample in self.archive.samples(entries[at : at + self.batch]):
                        self._given += 1
                        yield sample
                skip = 0


def worker() -> Any:
    """What torch says of the ``DataLoader``'s worker that this process is, or None."""
    torch: Any = sys.modules.get("torch")  # where it is not imported, nothing of it runs
    return None if torch is None else torch.utils.data.get_worker_info()


def share() -> tuple[int, int]:
    """Place of this process among all ranks and workers, and their number; one without torch."""
    rank, ranks = 0, 1
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    if own := worker():
        rank, ranks = rank * own.num_workers + own.id, ranks * own.num_workers
    return rank, ranks
