"""Which windows each step sees: a pure function of manifest, seed and epoch.

An epoch permutes the videos and deals them to a fixed number of lanes. Each lane is a stream: its
windows enter a shuffle buffer in the order of their videos and leave it by chance, so a video is
decoded once an epoch and no more than the buffer has to wait. A step takes the same number of
windows from every lane. Workers share the lanes out among them: one worker or several see the same
steps, and a training that is taken up again at step n goes on with step n's windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heapreplace

import numpy as np

from ah_ray.errors import ConfigError

MOST_LANES = 8


class Balance(StrEnum):
    """What is done about a label that is rarer than the other."""

    NONE = "none"
    WEIGHTS = "weights"  # the loss counts each label as much as the other
    DRAW = "draw"  # each epoch draws as many windows of the commoner label as the other has


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the order needs to know of a window."""

    video: int  # windows of one video share it
    label: bool
    simple: bool = False  # it asks one of the simpler questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Steps of `batch` windows over `epochs`."""

    windows: Sequence[Window]
    batch: int
    epochs: int
    seed: int
    lanes: int
    buffer: int = 256  # windows that wait in a lane
    balance: Balance = Balance.NONE
    simple_epochs: int = 0  # that ask the simpler questions only

    def steps_of(self, epoch: int) -> int:
        """Steps of an epoch: as many as its longest lane needs."""
        per_lane = self.batch // self.lanes
        return max((-(-len(lane) // per_lane) for lane in self._dealt(epoch)), default=0)

    @property
    def n_steps(self) -> int:
        return sum(self.steps_of(epoch) for epoch in range(self.epochs))

    def steps(self, rank: int = 0, workers: int = 1) -> Iterator[list[int]]:
        """The windows of one worker in each step, by their place in `windows`. Lanes that are
        through give none, so the last steps of an epoch may hold fewer, or none."""
        per_lane = self.batch // self.lanes
        for epoch in range(self.epochs):
            mine = [
                self._shuffled(lane, epoch, number)
                for number, lane in enumerate(self._dealt(epoch))
                if number % workers == rank
            ]
            for step in range(self.steps_of(epoch)):
                span = slice(step * per_lane, (step + 1) * per_lane)
                yield [window for lane in mine for window in lane[span]]

    def _dealt(self, epoch: int) -> list[list[int]]:
        """The lanes' windows, video after video; each video goes to the shortest lane so far."""
        by_video: dict[int, list[int]] = {}
        for window in self._drawn(epoch):
            by_video.setdefault(self.windows[window].video, []).append(window)
        videos = list(by_video)
        self._random(epoch, 0).shuffle(videos)
        lanes: list[list[int]] = [[] for _ in range(self.lanes)]
        shortest = [(0, number) for number in range(self.lanes)]
        heapify(shortest)
        for video in videos:
            length, number = shortest[0]
            lanes[number] += by_video[video]
            heapreplace(shortest, (length + len(by_video[video]), number))
        return lanes

    def _drawn(self, epoch: int) -> list[int]:
        """The windows of an epoch, in the order of the manifest."""
        simple_only = epoch < self.simple_epochs
        asked = [n for n, w in enumerate(self.windows) if w.simple or not simple_only]
        if self.balance is not Balance.DRAW:
            return asked
        sides = [[n for n in asked if self.windows[n].label is label] for label in (False, True)]
        fewer = min(map(len, sides))
        random = self._random(epoch, 1)
        drawn = (random.permutation(side)[:fewer] for side in sides)
        return sorted(int(window) for side in drawn for window in side)

    def _shuffled(self, lane: Sequence[int], epoch: int, number: int) -> list[int]:
        random = self._random(epoch, 2 + number)
        waiting: list[int] = []
        out: list[int] = []
        for window in lane:
            if len(waiting) < self.buffer:
                waiting.append(window)
                continue
            place = random.integers(self.buffer)
            out.append(waiting[place])
            waiting[place] = window
        random.shuffle(waiting)
        return out + waiting

    def _random(self, epoch: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, purpose])


def lanes_for(batch: int, workers: int) -> int:
    """As many lanes as suit several numbers of workers: the most, up to `MOST_LANES`, that divide
    the batch and that the workers divide.

    Raises ConfigError if the workers cannot share the batch evenly.
    """
    if batch % workers:
        raise ConfigError(
            f"--batch {batch}: {workers} workers cannot share it evenly; give a multiple of "
            f"{workers}"
        )
    fitting = [n for n in range(workers, MOST_LANES + 1) if batch % n == 0 and n % workers == 0]
    return max(fitting, default=workers)


def label_weights(windows: Sequence[Window]) -> tuple[float, float]:
    """Weights of No and Yes with which each label counts as much as the other: N / (2 · n)."""
    n_yes = sum(window.label for window in windows)
    n_no = len(windows) - n_yes
    return tuple(len(windows) / (2 * n) if n else 1.0 for n in (n_no, n_yes))
