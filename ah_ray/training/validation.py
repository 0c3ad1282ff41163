"""Measure the model during training on the split `val`, per window and per video.

Answers are read as in scoring.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ah_ray.errors import ConfigError
from ah_ray.omni.answer import compute_answers
from ah_ray.omni.answer_tree import find_answer_tree
from ah_ray.omni.inputs.staging import Stager
from ah_ray.omni.questionnaire import build_questionnaire
from ah_ray.profile import YES
from ah_ray.study.evaluation.figures.measures import answer_measures, average_precision, confusions
from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.data.questions import LabelledClip, Questions
from ah_ray.training.steps.collective import find_largest, gather_lists
from ah_ray.training.steps.learner import Learner
from ah_ray.training.steps.packs import AnsweredClip, make_blank_clip, split_into_packs, stage_pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Measures over all workers' windows; None where there is nothing to measure."""

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
        """Return the score that chooses the best checkpoint: the mean of both macro-F1s."""
        if self.macro_f1 is None or self.video_macro_f1 is None:
            return self.simple_accuracy or 0.0
        return (self.macro_f1 + self.video_macro_f1) / 2


class Validator:
    """Read answers from the current model, as a replica does."""

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
        profile = questions.profile.select_questions(())  # verdicts are made of the first one
        asked = build_questionnaire(profile, questions.tokenizer)
        tree = find_answer_tree(questions.tokenizer, profile.complete_questions[0])
        if len(tree.lines) > 1:
            raise ConfigError(
                "the model's tokenizer splits the two answers so that one pass of training cannot "
                "tell them apart; copy the tokenizer of a released Qwen3-Omni"
            )
        self._begun = (*tree.start, *tree.lines[0])
        self._n_reads = asked.tree.lines[0].n_reads
        self._picks = torch.tensor(asked.tree.picks).unbind(1)
        self._first = asked.questions[0]
        self._stager = stager
        self._token_budget = token_budget

    def validate(
        self, clips: Iterable[Sequence[LabelledClip]], windows: Sequence[LabelledWindow]
    ) -> Measures:
        """Return the measures over all workers.

        Each worker goes through its own clips, in as many steps as the others.
        """
        self._learner.model.eval()
        mine = [
            (clip.window, p)
            for step in clips
            for clip, p in zip(step, self.compute_probabilities(step), strict=True)
        ]
        self._learner.model.train()
        return compute_measures([(windows[number], p) for number, p in sorted(gather_lists(mine))])

    @torch.no_grad()
    def compute_probabilities(self, clips: Sequence[LabelledClip]) -> list[float]:
        """Return P(Yes) of each clip. All workers call it together, each with its own clips."""
        answered = [self._add_answer(clip) for clip in clips]
        packs = split_into_packs(answered, self._token_budget)
        found: dict[int, float] = {}
        for number in range(find_largest(len(packs), self._stager.device)):
            pack = packs[number] if number < len(packs) else [make_blank_clip(self._questions)]
            on_device = stage_pack(pack, self._stager, self._learner.model.config)
            logits = self._learner.model(on_device.inputs, on_device.reads)
            if number >= len(packs):
                continue
            log_p = logits.log_softmax(-1).unflatten(0, (-1, self._n_reads))
            p = compute_answers(self._first, log_p[:, *self._picks])[0]
            p_yes = p[:, self._first.question.answers.index(YES)]
            found |= zip(map(id, pack), p_yes.tolist(), strict=True)
        return [found[id(clip)] for clip in answered]

    def _add_answer(self, clip: LabelledClip) -> AnsweredClip:
        """Return the clip with the beginning of all answers, and the positions to read."""
        begun = (*self._begun, 0)  # the last token is not fed
        layout = self._questions.lay_out(clip.clip, clip.question, begun)
        return AnsweredClip(clip.clip, layout, (0,) * self._n_reads, 0.0)


def compute_measures(predictions: Sequence[tuple[LabelledWindow, float]]) -> Measures:
    """Return the measures of windows and their P(Yes)."""
    plain = [(window, p) for window, p in predictions if window.question is None]
    simple = [(window, p) for window, p in predictions if window.question is not None]
    label, p = _make_arrays(plain)
    videos: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for window, its_p in plain:
        videos[window.uri].append((window.label, its_p))
    video_label = np.array([any(y for y, _ in each) for each in videos.values()], bool)
    video_p = np.array([max(x for _, x in each) for each in videos.values()])
    windows, whole, asides = (
        _measure_answers(label, p),
        _measure_answers(video_label, video_p),
        _measure_answers(*_make_arrays(simple)),
    )
    return Measures(
        loss=windows.get("loss", asides.get("loss")),
        accuracy=windows.get("accuracy"),
        macro_f1=windows.get("macro_f1"),
        average_precision=windows.get("average_precision"),
        video_macro_f1=whole.get("macro_f1"),
        video_average_precision=whole.get("average_precision"),
        simple_accuracy=asides.get("accuracy"),
        n_windows=len(predictions),
    )


def _make_arrays(
    predictions: Sequence[tuple[LabelledWindow, float]],
) -> tuple[np.ndarray, np.ndarray]:
    return np.array([w.label for w, _ in predictions], bool), np.array(
        [p for _, p in predictions], float
    )


def _measure_answers(label: np.ndarray, p: np.ndarray) -> dict[str, float | None]:
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
