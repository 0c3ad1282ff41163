"""Load decoded windows in the order of the steps, through the decode stage of Ray Data.

CPUs anywhere in the cluster decode ahead, limited by the object store. Each worker of the training
reads its own stream, in the order of its steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset

from ah_ray import clip_tables
from ah_ray.records import Clip
from ah_ray.training.data.questions import LabelledClip, NamedAnswer
from ah_ray.training.data.windows_decoder import VisitSettings, WindowsDecoder

MOST_BLOCKS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledWindow:
    """A row of the labelled manifest."""

    uri: str
    start_s: float
    end_s: float
    label: bool | None  # whether the first question's answer is the positive one; None: unknown
    question: str | None
    weight: float
    answers: tuple[NamedAnswer, ...] = ()  # to the profile's questions, by name


@dataclass(slots=True, eq=False)
class _Visit:
    """One decoding of a video, and the windows that need each of its spans."""

    uri: str
    spans: dict[tuple[float, float], list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeStage:
    """How many actors decode for one worker, and how many cores each needs."""

    settings: VisitSettings
    decoders: int
    cpus: float

    def dataset(self, visits: Sequence[_Visit]) -> Dataset:
        """Return a dataset of the clips of these visits, in order."""
        rows = [
            {
                "visit": number,
                "uri": visit.uri,
                "spans": [{"start_s": a, "end_s": b} for a, b in sorted(visit.spans)],
            }
            for number, visit in enumerate(visits)
        ]
        # from_items alone makes its blocks in this process: others ask for a core, and the
        # training's own decoders may hold them all.
        source = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS))
        return source.map_batches(
            WindowsDecoder,
            fn_constructor_args=(self.settings,),
            batch_format="pyarrow",
            batch_size=None,
            num_cpus=self.cpus,
            compute=ActorPoolStrategy(
                min_size=1, max_size=self.decoders, max_tasks_in_flight_per_actor=2
            ),
            max_restarts=-1,
            max_task_retries=2,
        )


def configure_ray_data() -> None:
    """Set up Ray Data in this process: clips arrive in the order of their visits."""
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a video that kills its decoder thrice is skipped
    context.execution_options.preserve_order = True
    context.execution_no_progress_timeout_s = 24 * 3600


class ClipLoader:
    """Yield the labelled clips of each step.

    Windows that could not be decoded are left out; `skipped` holds them and the reasons.
    """

    def __init__(
        self,
        windows: Sequence[LabelledWindow],
        steps: Sequence[tuple[int, Sequence[int]]],
        stage: DecodeStage,
    ):
        """`steps`: (epoch, windows by their place) of each step to come."""
        self._windows = windows
        self._steps = steps
        self._stage = stage
        self.waited_s = 0.0
        self.skipped: dict[int, str] = {}

    def __iter__(self) -> Iterator[list[LabelledClip]]:
        visits, place = self._plan_visits()
        arrived = self._iterate_clips(visits) if visits else iter(())
        held: dict[tuple[int, int], LabelledClip] = {}
        through = -1  # all visits up to this one are over
        for step, (_, wanted) in enumerate(self._steps):
            began = time.monotonic()
            clips = []
            for window in wanted:
                visit = place[step, window]
                while (visit, window) not in held and through < visit:
                    through = self._store_clip(next(arrived, None), visits, held, through)
                if (visit, window) in held:
                    clips.append(held.pop((visit, window)))
                else:
                    self.skipped.setdefault(window, "its video or its decoder ended too early")
            self.waited_s += time.monotonic() - began
            yield clips

    def _store_clip(
        self,
        arrived: tuple[int, bool, Clip] | None,
        visits: Sequence[_Visit],
        held: dict[tuple[int, int], LabelledClip],
        through: int,
    ) -> int:
        """Store what a visit brought, and return the number of the last visit that is over."""
        if arrived is None:
            return len(visits)
        visit, last, clip = arrived
        if last:
            if clip.error:
                for windows in visits[visit].spans.values():
                    self.skipped.update(dict.fromkeys(windows, clip.error))
            return visit
        windows = visits[visit].spans[sorted(visits[visit].spans)[clip.clip_index]]
        if (
            clip.frames is not None and clip.samples is not None
        ):  # out of the object store, where it would be in the way
            clip = replace(clip, frames=clip.frames.copy(), samples=clip.samples.copy())
        for number in windows:
            if clip.frames is None:
                self.skipped[number] = clip.error or "not decoded"
            else:
                row = self._windows[number]
                held[visit, number] = LabelledClip(
                    window=number,
                    clip=clip,
                    label=row.label,
                    question=row.question,
                    weight=row.weight,
                    answers=row.answers,
                )
        return max(through, visit - 1)  # a visit whose decoder died has no last row

    def _plan_visits(self) -> tuple[list[_Visit], dict[tuple[int, int], int]]:
        """Return the visits in the order of their first use, and the visit of each (step, window).

        A video is visited once an epoch.
        """
        visits: list[_Visit] = []
        number_of: dict[tuple[int, str], int] = {}
        place: dict[tuple[int, int], int] = {}
        for step, (epoch, wanted) in enumerate(self._steps):
            for window in wanted:
                row = self._windows[window]
                number = number_of.setdefault((epoch, row.uri), len(visits))
                if number == len(visits):
                    visits.append(_Visit(row.uri))
                visits[number].spans.setdefault((row.start_s, row.end_s), []).append(window)
                place[step, window] = number
        return visits, place

    def _iterate_clips(self, visits: Sequence[_Visit]) -> Iterator[tuple[int, bool, Clip]]:
        batches = self._stage.dataset(visits).iter_batches(
            batch_size=None, batch_format="pyarrow", prefetch_batches=2
        )
        table: Any  # an Arrow table, since that is the format of the batches
        for table in batches:
            yield from zip(
                table["visit"].to_pylist(),
                table["last"].to_pylist(),
                clip_tables.iterate_clips(table),
                strict=True,
            )
