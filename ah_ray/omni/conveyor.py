"""Clips wait, are packed, staged and passed through the model; the device is never left idle.

Threads that want clips scored take turns at driving: one of them runs a pass while one more thread
of the conveyor's own packs and stages the next from all that waits, whoever brought it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Condition

import numpy as np
import torch

from ah_ray.omni.answer import Answer, p_ah
from ah_ray.omni.device_time import DeviceTimer
from ah_ray.omni.layout import ClipLayout, lay_out_pack
from ah_ray.omni.packing import next_pack
from ah_ray.omni.staging import Staged
from ah_ray.omni.thinker import Thinker


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model said of a clip; not finite if it said nothing."""

    p_ah: float
    answer_mass: float
    seconds: float  # of the device, by its share of the pack's tokens


class TooLarge(Exception):
    """A clip that does not fit into the device's memory, even alone."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A clip that waits for its reading."""

    frames: np.ndarray
    samples: np.ndarray
    layout: ClipLayout
    passed_over: int = 0
    reading: Future[Reading] = field(default_factory=Future)


Pack = tuple[list[Waiting], Future[Staged]]


class Conveyor:
    """One model's device, and the clips that wait for it. Threads may share it."""

    def __init__(self, thinker: Thinker, answer: Answer, token_budget: int):
        self.token_budget = token_budget  # most tokens in a pass; halved when memory runs out
        self.busy_s = 0.0  # that the device spent on passes
        self.n_tokens = 0  # that passed
        self.n_passes = 0
        self._thinker = thinker
        self._answer = answer
        self._turn = Condition()
        self._driven = False
        self._waiting: list[Waiting] = []
        self._ahead: Pack | None = None  # staged while the one before it passes
        self._stage_thread = ThreadPoolExecutor(1, thread_name_prefix="stage")

    def carry(self, clips: Sequence[Waiting]) -> None:
        """Sees to it that each of these has its reading, or its error."""
        with self._turn:
            self._waiting += clips
        try:
            while self._take_turn(clips):
                try:
                    self._drive()
                finally:
                    with self._turn:
                        self._driven = False
                        self._turn.notify_all()
        finally:  # nothing is left behind if this thread gives up
            mine = set(clips)
            with self._turn:
                self._waiting = [clip for clip in self._waiting if clip not in mine]

    def _take_turn(self, clips: Sequence[Waiting]) -> bool:
        """True once this thread is to drive; False once its clips are done."""

        def done() -> bool:
            return all(clip.reading.done() for clip in clips)

        with self._turn:
            self._turn.wait_for(lambda: done() or not self._driven)
            if done():
                return False
            self._driven = True
            return True

    def _drive(self) -> None:
        """One pass, and beside it the staging of the next."""
        pack = self._ahead or self._next()
        self._ahead = None
        if pack is None:
            return
        staged = pack[1].exception() is None  # and no longer on its way
        self._ahead = self._next() if staged else None
        self._pass(*pack)

    def _next(self) -> Pack | None:
        """Pack some of what waits, and begin to stage it."""
        with self._turn:
            chosen = next_pack(
                [clip.layout.n_tokens for clip in self._waiting],
                [clip.passed_over for clip in self._waiting],
                self.token_budget,
            )
            clips = [self._waiting[i] for i in chosen]
            for clip in clips:
                self._waiting.remove(clip)
            for clip in self._waiting:
                clip.passed_over += 1
        return (clips, self._stage(clips)) if clips else None

    def _stage(self, clips: list[Waiting]) -> Future[Staged]:
        return self._stage_thread.submit(self._staged, clips)

    def _staged(self, clips: list[Waiting]) -> Staged:
        layout = lay_out_pack(
            [clip.layout for clip in clips], self._answer.n_reads, self._thinker.config
        )
        frames, samples = [clip.frames for clip in clips], [clip.samples for clip in clips]
        return self._thinker.stage(frames, samples, layout)

    def _pass(self, clips: list[Waiting], staged: Future[Staged]) -> None:
        """One pass; if memory runs out, two of half the clips each, down to a clip alone.

        Other errors of a device are not mended: it may be lost to this process, and a fresh one
        must take over.
        """
        try:
            self._read(clips, staged.result())
            return
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                _fail(clips, error)
                return
        except BaseException as error:
            _fail(clips, error)
            raise
        del staged  # and with it the memory that it holds
        self._make_room(clips)

    def _make_room(self, clips: list[Waiting]) -> None:
        """Try again with less on the device."""
        was_ahead = self._unstage()
        self._thinker.release()
        if len(clips) == 1:
            if was_ahead:
                self._pass(clips, self._stage(clips))
            else:
                _fail(clips, TooLarge(f"{clips[0].layout.n_tokens} tokens do not fit"))
            return
        n_tokens = sum(clip.layout.n_tokens for clip in clips)
        self.token_budget = max(1, min(self.token_budget, n_tokens) // 2)
        half = len(clips) // 2
        for part in (clips[:half], clips[half:]):
            self._pass(part, self._stage(part))

    def _unstage(self) -> bool:
        """Lets the pack that is staged ahead wait again; False if there is none."""
        if self._ahead is None:
            return False
        clips, staged = self._ahead
        staged.exception()  # over, one way or another
        self._ahead = None
        with self._turn:
            self._waiting = clips + self._waiting
        return True

    def _read(self, clips: list[Waiting], staged: Staged) -> None:
        timer = DeviceTimer(self._thinker.devices)
        p, mass = p_ah(self._answer, self._thinker.log_probabilities(staged))
        timer.stop()
        numbers = torch.stack([p, mass], dim=1).tolist()  # waits for the device
        seconds = timer.seconds()
        n_tokens = sum(clip.layout.n_tokens for clip in clips)
        self.busy_s += seconds
        self.n_tokens += n_tokens
        self.n_passes += 1
        for clip, (clip_p, clip_mass) in zip(clips, numbers, strict=True):
            share = clip.layout.n_tokens / n_tokens
            clip.reading.set_result(Reading(clip_p, clip_mass, seconds * share))


def _fail(clips: Sequence[Waiting], error: BaseException) -> None:
    for clip in clips:
        if not clip.reading.done():
            clip.reading.set_exception(error)


def is_out_of_memory(error: Exception) -> bool:
    """torch has a type for it on a GPU; on a CPU, only words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "DefaultCPUAllocator" in str(error)
    )
