"""How good the model is at a moment of its training: on the split `val`, with the answer read as in
scoring, per window and per video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ah_ray.omni.answer import p_ah, read_answer
from ah_ray.omni.staging import Stager
from ah_ray.study.evaluation.measures import answer_measures, average_precision, confusions
from ah_ray.training.collective import gathered, most
from ah_ray.training.feed import LabelledWindow
from ah_ray.training.learner import Learner
from ah_ray.training.packs import Asked, blank, in_packs, stage
from ah_ray.training.questions import LabelledClip, Questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Measures over all workers' windows; null where there is nothing to measure."""

    loss: float | None  # −log of what the right answer was given
    accuracy: float | None
    macro_f1: float | None
    average_precision: float | None
    video_macro_f1: float | None  # a video is a Yes if one of its windows is
    video_average_precision: float | None
    simple_accuracy: float | None  # of the simpler questions
    n_windows: int

    @property
    def score(self) -> float:
        """By what the best is chosen: macro-F1, the mean of the windows' and the videos'."""
        if self.macro_f1 is None or self.video_macro_f1 is None:
            return self.simple_accuracy or 0.0
        return (self.macro_f1 + self.video_macro_f1) / 2


class Judge:
    """Reads answers as a replica does, from the model as it is."""

    def __init__(
        self,
        learner: Learner,
        questions: Questions,
        stager: Stager,
        *,
        token_budget: int,
    ):
        self._learner = learner
        self._questions = questions
        self._answer = read_answer(questions.tokenizer)
        self._stager = stager
        self._token_budget = token_budget

    def judge(
        self, clips: Iterable[Sequence[LabelledClip]], windows: Sequence[LabelledWindow]
    ) -> Judged:
        """Measures over all workers. Each goes through its own clips, in as many steps as the
        others."""
        self._learner.model.eval()
        mine = [
            (clip.window, p)
            for step in clips
            for clip, p in zip(step, self.probabilities(step), strict=True)
        ]
        self._learner.model.train()
        return measure([(windows[number], p) for number, p in sorted(gathered(mine))])

    @torch.no_grad()
    def probabilities(self, clips: Sequence[LabelledClip]) -> list[float]:
        """P(Yes) of each clip. All workers call it together, each with clips of its own."""
        asked = [self._asked(clip) for clip in clips]
        packs = in_packs(asked, self._token_budget)
        found: dict[int, float] = {}
        for number in range(most(len(packs), self._stager.device)):
            pack = packs[number] if number < len(packs) else [blank(self._questions)]
            on_device = stage(pack, self._stager, self._learner.model.config)
            logits = self._learner.model(on_device.staged, on_device.reads)
            if number >= len(packs):
                continue
            log_p = logits.log_softmax(-1).unflatten(0, (-1, self._answer.n_reads))
            found |= zip(map(id, pack), p_ah(self._answer, log_p)[0].tolist(), strict=True)
        return [found[id(clip)] for clip in asked]

    def _asked(self, clip: LabelledClip) -> Asked:
        """The clip with the beginning of all answers, and what is to be read after it."""
        begun = (*self._answer.start, 0)  # the last token is not fed
        layout = self._questions.lay_out(clip.clip, clip.question, begun)
        return Asked(clip.clip, layout, (0,) * self._answer.n_reads, 0.0)


def measure(judged: Sequence[tuple[LabelledWindow, float]]) -> Judged:
    """Measures of windows and their P(Yes)."""
    plain = [(window, p) for window, p in judged if window.question is None]
    simple = [(window, p) for window, p in judged if window.question is not None]
    label, p = _arrays(plain)
    videos: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for window, its_p in plain:
        videos[window.uri].append((window.label, its_p))
    video_label = np.array([any(y for y, _ in each) for each in videos.values()], bool)
    video_p = np.array([max(x for _, x in each) for each in videos.values()])
    windows, whole, asides = (
        _measures(label, p),
        _measures(video_label, video_p),
        _measures(*_arrays(simple)),
    )
    return Judged(
        loss=windows.get("loss", asides.get("loss")),
        accuracy=windows.get("accuracy"),
        macro_f1=windows.get("macro_f1"),
        average_precision=windows.get("average_precision"),
        video_macro_f1=whole.get("macro_f1"),
        video_average_precision=whole.get("average_precision"),
        simple_accuracy=asides.get("accuracy"),
        n_windows=len(judged),
    )


def _arrays(judged: Sequence[tuple[LabelledWindow, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([w.label for w, _ in judged], bool), np.array([p for _, p in judged], float)


def _measures(label: np.ndarray, p: np.ndarray) -> dict[str, float | None]:
    if not len(label):
        return {}
    answers = answer_measures(confusions(label, p >= 0.5).sum(axis=0))
    exact = float(average_precision(label, p, np.ones((1, len(label))))[0])
    right = np.where(label, p, 1 - p).clip(1e-12)
    return {
        "loss": float(-np.log(right).mean()),
        "accuracy": float(answers["accuracy"]),
        "macro_f1": float(answers["macro_f1"]),
        "average_precision": None if np.isnan(exact) else exact,
    }
