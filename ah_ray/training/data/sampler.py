"""Choose which windows each step sees: a pure function of manifest, seed and epoch.

An epoch permutes the videos and distributes them over a fixed number of lanes. Each lane is a
stream: its windows enter a shuffle buffer in the order of their videos and leave it at random, so a
video is decoded once an epoch, and no more windows wait than the buffer holds. A step takes the
same number of windows from every lane. Workers share the lanes: one worker or several see the same
steps, and a training that continues at step n continues with the windows of step n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

import numpy as np

from ah_ray.errors import ConfigError
from ah_ray.training.settings import Balance

MOST_LANES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderWindow:
    """What the order needs to know of a window."""

    video: int  # windows of one video share it
    label: bool | None  # None: the question itself has no label
    simple: bool = False  # it asks one of the simpler questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Steps of `batch` windows over `epochs`."""

    windows: Sequence[OrderWindow]
    batch: int
    epochs: int
    seed: int
    lanes: int
    buffer: int = 256  # windows that wait in a lane
    balance: Balance = Balance.NONE
    simple_epochs: int = 0  # that ask the simpler questions only

    def count_steps(self, epoch: int) -> int:
        """Return the steps of an epoch: as many as its longest lane needs."""
        per_lane = self.batch // self.lanes
        return max((-(-len(lane) // per_lane) for lane in self._deal_lanes(epoch)), default=0)

    @property
    def n_steps(self) -> int:
        """Return the steps of all epochs."""
        return sum(self.count_steps(epoch) for epoch in range(self.epochs))

    def steps(self, rank: int = 0, workers: int = 1) -> Iterator[list[int]]:
        """Yield the windows of one worker in each step, by their index in `windows`.

        Lanes that are finished give none, so the last steps of an epoch may hold fewer windows, or
        none.
        """
        per_lane = self.batch // self.lanes
        for epoch in range(self.epochs):
            mine = [
                self._shuffle_lane(lane, epoch, number)
                for number, lane in enumerate(self._deal_lanes(epoch))
                if number % workers == rank
            ]
            for step in range(self.count_steps(epoch)):
                span = slice(step * per_lane, (step + 1) * per_lane)
                yield [window for lane in mine for window in lane[span]]

    def _deal_lanes(self, epoch: int) -> list[list[int]]:
        """Return the lanes' windows, video after video; each video goes to the shortest lane."""
        by_video: dict[int, list[int]] = {}
        for window in self._draw_windows(epoch):
            by_video.setdefault(self.windows[window].video, []).append(window)
        videos = list(by_video)
        self._make_generator(epoch, 0).shuffle(videos)
        lanes: list[list[int]] = [[] for _ in range(self.lanes)]
        shortest = [(0, number) for number in range(self.lanes)]
        heapify(shortest)
        for video in videos:
            length, number = shortest[0]
            lanes[number] += by_video[video]
            heapreplace(shortest, (length + len(by_video[video]), number))
        return lanes

    def _draw_windows(self, epoch: int) -> list[int]:
        """Return the windows of an epoch, in the order of the manifest."""
        simple_only = epoch < self.simple_epochs
        asked = [n for n, w in enumerate(self.windows) if w.simple or not simple_only]
        if self.balance is not Balance.DRAW:
            return asked
        sides = [[n for n in asked if self.windows[n].label is label] for label in (False, True)]
        fewer = min(map(len, sides))
        random = self._make_generator(epoch, 1)
        drawn = (random.permutation(side)[:fewer] for side in sides)
        unlabelled = [n for n in asked if self.windows[n].label is None]  # other questions have one
        return sorted([*unlabelled, *(int(window) for side in drawn for window in side)])

    def _shuffle_lane(self, lane: Sequence[int], epoch: int, number: int) -> list[int]:
        random = self._make_generator(epoch, 2 + number)
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

    def _make_generator(self, epoch: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, purpose])


def choose_lanes(batch: int, workers: int) -> int:
    """Return the largest number of lanes, up to `MOST_LANES`, that suits batch and workers.

    It divides the batch, and the workers divide it. Raise ConfigError if the workers cannot share
    the batch evenly.
    """
    if batch % workers:
        raise ConfigError(
            f"--batch {batch}: {workers} workers cannot share it evenly; give a multiple of "
            f"{workers}"
        )
    fitting = [n for n in range(workers, MOST_LANES + 1) if batch % n == 0 and n % workers == 0]
    return max(fitting, default=workers)


def compute_label_weights(windows: Sequence[OrderWindow]) -> tuple[float, float]:
    """Return weights of No and Yes with which both labels count the same: N / (2 · n).

    N are the windows with a label.
    """
    n_no, n_yes = (sum(window.label is label for window in windows) for label in (False, True))
    no, yes = ((n_no + n_yes) / (2 * n) if n else 1.0 for n in (n_no, n_yes))
    return no, yes
