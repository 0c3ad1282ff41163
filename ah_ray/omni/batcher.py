"""Pack pending clips, stage the packs and run them through the model without leaving it idle.

Several threads may bring clips. One of them at a time runs a pass, while one thread of the batcher
packs and stages the next batch from all pending clips, of every caller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from threading import Condition

import numpy as np
import torch

from ah_ray.omni.answer import compute_answers, compute_format_mass
from ah_ray.omni.device_time import DeviceTimer
from ah_ray.omni.embedding import pick_answers, to_bytes
from ah_ray.omni.inputs.layout import ClipLayout, lay_out_pack
from ah_ray.omni.inputs.packing import choose_next_pack
from ah_ray.omni.inputs.staging import StagedPack
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.questionnaire import Questionnaire


@dataclass(frozen=True, slots=True)
class QuestionOutput:
    """What the model gave for one question about a clip."""

    p: tuple[float, ...]  # of each answer; their sum is 1
    mass: float  # p of any of the answers


@dataclass(frozen=True, slots=True)
class ClipOutput:
    """What the model gave for one clip; values that are not finite mean that it gave nothing."""

    answers: tuple[QuestionOutput, ...]  # of each question, in the order of the questionnaire
    format_mass: float
    seconds: float  # of device time: the clip's share, by tokens, of its pass
    embedding: bytes | None = None  # [D] float16, where it is kept

    @property
    def is_finite(self) -> bool:
        """Return whether every value is a number."""
        values = chain((self.format_mass,), *((one.mass, *one.p) for one in self.answers))
        return all(map(math.isfinite, values))


class ClipTooLarge(Exception):
    """A clip that does not fit in the device's memory, even alone."""


@dataclass(slots=True, eq=False)
class PendingClip:
    """A clip that waits for its output."""

    frames: np.ndarray
    samples: np.ndarray
    layout: ClipLayout
    n_skips: int = 0
    output: Future[ClipOutput] = field(default_factory=Future)


class Batch:
    """Clips of one pass, which are being staged."""

    def __init__(self, clips: list[PendingClip], staging: Future[StagedPack]):
        self.clips = clips
        self._staging: Future[StagedPack] | None = staging

    def wait_for_staging(self) -> bool:
        """Wait until staging is over, and return whether it succeeded."""
        assert self._staging is not None
        return self._staging.exception() is None

    def take(self) -> StagedPack:
        """Return the pack or raise the error of staging, once: it is not kept here any longer.

        So a pack that fails is freed by the one who took it, before its clips are tried again.
        """
        staging, self._staging = self._staging, None
        assert staging is not None
        return staging.result()


class Batcher:
    """The clips that wait for one model's device. Threads may share it."""

    def __init__(
        self,
        thinker: Thinker,
        questionnaire: Questionnaire,
        token_budget: int,
        *,
        keep_embeddings: bool = False,
    ):
        self.token_budget = token_budget  # most tokens in a pass; halved when memory runs out
        self.busy_s = 0.0  # seconds that the device worked on passes
        self.n_tokens = 0  # in all passes
        self.n_passes = 0
        self._thinker = thinker
        self._questionnaire = questionnaire
        self._keep_embeddings = keep_embeddings
        self._condition = Condition()
        self._is_running = False
        self._queue: list[PendingClip] = []
        self._next_batch: Batch | None = None  # staged while the batch before it runs
        self._stage_thread = ThreadPoolExecutor(1, thread_name_prefix="stage")

    def process(self, clips: Sequence[PendingClip]) -> None:
        """Run these clips, and return when each has its output or its error."""
        with self._condition:
            self._queue += clips
        try:
            while self._take_turn(clips):
                try:
                    self._run_next_pass()
                finally:
                    with self._condition:
                        self._is_running = False
                        self._condition.notify_all()
        finally:  # no clip stays in the queue if this thread is interrupted
            mine = set(clips)
            with self._condition:
                self._queue = [clip for clip in self._queue if clip not in mine]

    def _take_turn(self, clips: Sequence[PendingClip]) -> bool:
        """Return True if this thread must run passes; False once its clips are done."""

        def done() -> bool:
            return all(clip.output.done() for clip in clips)

        with self._condition:
            self._condition.wait_for(lambda: done() or not self._is_running)
            if done():
                return False
            self._is_running = True
            return True

    def _run_next_pass(self) -> None:
        """Run one pass, while the next batch is staged."""
        batch = self._next_batch or self._start_batch()
        self._next_batch = None
        if batch is None:
            return
        self._next_batch = self._start_batch() if batch.wait_for_staging() else None
        self._run_pass(batch)

    def _start_batch(self) -> Batch | None:
        """Choose clips for a batch and start to stage them; return None if no clip is pending."""
        with self._condition:
            chosen = choose_next_pack(
                [clip.layout.n_tokens for clip in self._queue],
                [clip.n_skips for clip in self._queue],
                self.token_budget,
            )
            clips = [self._queue[i] for i in chosen]
            for clip in clips:
                self._queue.remove(clip)
            for clip in self._queue:
                clip.n_skips += 1
        return self._start_staging(clips) if clips else None

    def _start_staging(self, clips: list[PendingClip]) -> Batch:
        return Batch(clips, self._stage_thread.submit(self._stage_clips, clips))

    def _stage_clips(self, clips: list[PendingClip]) -> StagedPack:
        layout = lay_out_pack([clip.layout for clip in clips], self._thinker.config)
        frames, samples = [clip.frames for clip in clips], [clip.samples for clip in clips]
        return self._thinker.stage(frames, samples, layout)

    def _run_pass(self, batch: Batch) -> None:
        """Run one pass; if memory runs out, run two passes of half the clips, down to one clip.

        After any other error of the device this process may have lost it, so nothing is tried
        again: a new process must take over.
        """
        clips = batch.clips
        try:
            self._read_answers(clips, batch.take())
            return
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                _set_error(clips, error)
                return
        except BaseException as error:
            _set_error(clips, error)
            raise
        self._retry_in_halves(clips)  # the error is gone, and with its frames the failed pack

    def _retry_in_halves(self, clips: list[PendingClip]) -> None:
        """Run the clips again with less on the device."""
        was_ahead = self._return_next_batch()
        self._thinker.release()
        if len(clips) == 1:
            if was_ahead:
                self._run_pass(self._start_staging(clips))
            else:
                _set_error(clips, ClipTooLarge(f"{clips[0].layout.n_tokens} tokens do not fit"))
            return
        n_tokens = sum(clip.layout.n_tokens for clip in clips)
        self.token_budget = max(1, min(self.token_budget, n_tokens) // 2)
        half = len(clips) // 2
        for part in (clips[:half], clips[half:]):
            self._run_pass(self._start_staging(part))

    def _return_next_batch(self) -> bool:
        """Put the clips of the staged batch back into the queue; return False if there is none."""
        if self._next_batch is None:
            return False
        batch, self._next_batch = self._next_batch, None
        batch.wait_for_staging()
        with self._condition:
            self._queue = batch.clips + self._queue
        return True

    def _read_answers(self, clips: list[PendingClip], staged: StagedPack) -> None:
        inputs = staged.wait()
        timer = DeviceTimer(self._thinker.devices)  # after the wait, which is no work
        at_answers = None
        if self._keep_embeddings:
            log_p, hidden = self._thinker.compute_with_hidden(inputs)
            at_answers = pick_answers(hidden, inputs.layout, self._questionnaire, len(clips))
        else:
            log_p = self._thinker.compute_log_probabilities(inputs)
        log_p = log_p.unflatten(0, (len(clips), -1))
        columns = [compute_format_mass(self._questionnaire.beginning, log_p)[:, None]]
        for question in self._questionnaire.questions:
            p, mass = compute_answers(question, log_p)
            columns += [mass[:, None], p]
        timer.stop()
        numbers = torch.cat(columns, dim=1).tolist()  # waits for the device
        seconds = timer.elapsed_s()
        embeddings = [None] * len(clips) if at_answers is None else to_bytes(at_answers)
        n_tokens = sum(clip.layout.n_tokens for clip in clips)
        self.busy_s += seconds
        self.n_tokens += n_tokens
        self.n_passes += 1
        for clip, (format_mass, *rest), kept in zip(clips, numbers, embeddings, strict=True):
            values = iter(rest)
            answers = tuple(
                QuestionOutput(mass=next(values), p=tuple(islice(values, len(one.answers))))
                for one in self._questionnaire.questions
            )
            share = clip.layout.n_tokens / n_tokens
            clip.output.set_result(ClipOutput(answers, format_mass, seconds * share, kept))


def _set_error(clips: Sequence[PendingClip], error: BaseException) -> None:
    for clip in clips:
        if not clip.output.done():
            clip.output.set_exception(error)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out: torch has a type for this on a GPU, but not on a CPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "DefaultCPUAllocator" in str(error)
    )
