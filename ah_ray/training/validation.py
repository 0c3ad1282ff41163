"""Measure the model during training on the split `val`, per window and per video.

Answers are read as in scoring: all labelled questions of a window, from one look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ah_ray.omni.answer import compute_answers
from ah_ray.omni.inputs.layout import PackLayout
from ah_ray.omni.inputs.staging import Stager
from ah_ray.omni.questionnaire import Questionnaire, build_questionnaire
from ah_ray.profile import Question
from ah_ray.study.evaluation.figures.measures import answer_measures, average_precision, confusions
from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.data.questions import SIMPLE, LabelledClip, Questions, Target, ask_instead
from ah_ray.training.steps.collective import find_largest, gather_lists
from ah_ray.training.steps.learner import Learner
from ah_ray.training.steps.packs import AnsweredClip, make_blank_clip, split_into_packs, stage_pack

Probabilities = Mapping[str, tuple[float, ...]]
"""P of each answer to each question that a window was asked, by the question's name."""

_READS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionMeasures:
    """Measures of one question that the profile names, over the windows that are labelled by it."""

    question: str
    n_windows: int
    loss: float  # −log of what the right answer was given
    accuracy: float  # of the answer with the highest P
    macro_f1: float  # over the answers that were labelled or given


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
    questions: tuple[QuestionMeasures, ...] = ()  # of those that are labelled by name

    @property
    def score(self) -> float:
        """Return the score that chooses the best checkpoint: the mean of both macro-F1s.

        Where the first question has no labels, it is the accuracy of simpler questions, or else the
        mean macro-F1 of the others.
        """
        if self.macro_f1 is not None and self.video_macro_f1 is not None:
            return (self.macro_f1 + self.video_macro_f1) / 2
        if self.simple_accuracy is not None or not self.questions:
            return self.simple_accuracy or 0.0
        return sum(one.macro_f1 for one in self.questions) / len(self.questions)


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
        self._stager = stager
        self._token_budget = token_budget
        self._questionnaire = lru_cache(maxsize=256)(self._build_questionnaire)

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
            for clip, p in zip(step, self.read_answers(step), strict=True)
        ]
        self._learner.model.train()
        found = [(windows[number], p) for number, p in sorted(gather_lists(mine), key=_window_of)]
        return compute_measures(
            [(window, self._read_first(window, p)) for window, p in found],
            measure_questions(self._questions.profile.complete_questions, found),
        )

    def _read_first(self, window: LabelledWindow | LabelledClip, p: Probabilities) -> float:
        """Return P of the positive answer to a window's first question, or its simpler one."""
        question = self._questions.first if window.question is None else SIMPLE
        return p[question.name][question.answers.index(question.positive or "")]

    def compute_probabilities(self, clips: Sequence[LabelledClip]) -> list[float]:
        """Return P of the first question's positive answer for each clip, as `read_answers`."""
        read = zip(clips, self.read_answers(clips), strict=True)
        return [self._read_first(clip, p) for clip, p in read]

    @torch.no_grad()
    def read_answers(self, clips: Sequence[LabelledClip]) -> list[Probabilities]:
        """Return P of each answer for each clip. All workers call it together.

        Each has its own clips.
        """
        asked = [self._ask(clip) for clip in clips]
        questionnaires = {id(answered): which for answered, which in asked}
        packs = split_into_packs([answered for answered, _ in asked], self._token_budget)
        found: dict[int, Probabilities] = {}
        for number in range(find_largest(len(packs), self._stager.device)):
            pack = packs[number] if number < len(packs) else [make_blank_clip(self._questions)]
            on_device = stage_pack(pack, self._stager, self._learner.model.config)
            logits = self._learner.model(on_device.inputs, on_device.reads)
            if number >= len(packs):
                continue
            log_p = _pick_log_probabilities(logits, on_device.inputs.layout).cpu()
            parts = log_p.split([len(clip.layout.picks) for clip in pack])
            for clip, its in zip(pack, parts, strict=True):
                found[id(clip)] = _read_answers(questionnaires[id(clip)], its)
        return [found[id(answered)] for answered, _ in asked]

    def _ask(self, clip: LabelledClip) -> tuple[AnsweredClip, Questionnaire]:
        """Return the clip with the beginnings of all answers to what it is asked, to be read."""
        questionnaire = self._questionnaire(
            clip.question, tuple(answer.question for answer in clip.answers)
        )
        layout = self._questions.lay_out_tree(clip.clip, questionnaire.tree)
        unknown = tuple(Target((0,) * n_reads, 0.0) for n_reads in layout.n_reads)
        return AnsweredClip(clip.clip, layout, unknown), questionnaire

    def _build_questionnaire(self, simple: str | None, names: tuple[str, ...]) -> Questionnaire:
        profile = self._questions.profile
        profile = (
            profile.select_questions(names) if simple is None else ask_instead(profile, simple)
        )
        return build_questionnaire(profile, self._questions.tokenizer)


def _window_of(one: tuple[int, Probabilities]) -> int:
    return one[0]


def _pick_log_probabilities(logits: torch.Tensor, layout: PackLayout) -> torch.Tensor:
    """Return the log-probabilities [P] float32 of a layout's picks from logits [R, V]."""
    parts = logits.split(_READS_AT_ONCE)  # in float32 a read takes 0.6 MB
    total = torch.cat([part.float().logsumexp(-1) for part in parts])
    reads = layout.picked_reads
    return logits[reads, layout.picked_tokens].float() - total[reads]


def _read_answers(questionnaire: Questionnaire, log_p: torch.Tensor) -> Probabilities:
    return {
        asked.question.name: tuple(compute_answers(asked, log_p[None])[0][0].tolist())
        for asked in questionnaire.questions
    }


def measure_questions(
    questions: Sequence[Question], found: Sequence[tuple[LabelledWindow, Probabilities]]
) -> tuple[QuestionMeasures, ...]:
    """Return the measures of each question that windows are labelled by, in order."""
    measured = []
    for question in questions:
        pairs = [
            (question.answers.index(one.answer), p[question.name])
            for window, p in found
            for one in window.answers
            if one.question == question.name
        ]
        if pairs:
            label, p = np.array([y for y, _ in pairs]), np.array([p for _, p in pairs])
            given = p.argmax(axis=1)
            right = p[np.arange(len(label)), label].clip(1e-12)
            measured.append(
                QuestionMeasures(
                    question=question.name,
                    n_windows=len(label),
                    loss=float(-np.log(right).mean()),
                    accuracy=float((given == label).mean()),
                    macro_f1=_compute_macro_f1(label, given),
                )
            )
    return tuple(measured)


def _compute_macro_f1(label: np.ndarray, given: np.ndarray) -> float:
    """Return the mean F1 over the answers that were labelled or given."""
    each = [
        2
        * np.sum((label == answer) & (given == answer))
        / (np.sum(label == answer) + np.sum(given == answer))
        for answer in np.union1d(label, given)
    ]
    return float(np.mean(each))


def compute_measures(
    predictions: Sequence[tuple[LabelledWindow, float]],
    questions: tuple[QuestionMeasures, ...] = (),
) -> Measures:
    """Return the measures of windows and their P of the first question's positive answer."""
    labelled = [(window, p) for window, p in predictions if window.label is not None]
    plain = [(window, p) for window, p in labelled if window.question is None]
    simple = [(window, p) for window, p in labelled if window.question is not None]
    label, p = _make_arrays(plain)
    videos: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for window, its_p in plain:
        videos[window.uri].append((bool(window.label), its_p))
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
        questions=questions,
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
