"""Build what a clip is asked in training, and the tokens of the right answers.

The prompts are the profile's, as in scoring; a labelled window may ask another, simpler question in
place of the first one. The target is the whole answer with the token that ends the turn, as in
ms-swift: `<answer>Yes</answer><|im_end|>`.

All questions of a window that have a label are asked of one look: what their prompts have in common
is computed once, and each question adds a line of its own (`ah_ray/omni/inputs/forks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.inputs.audio import count_mel_frames
from ah_ray.omni.inputs.forks import PromptTree, join_prompts
from ah_ray.omni.inputs.layout import ClipLayout, lay_out_clip
from ah_ray.omni.inputs.prompt import SPECIAL, Prompt, build_prompt
from ah_ray.omni.inputs.tokenizer import find_special_id
from ah_ray.omni.inputs.vision import compute_patch_grid
from ah_ray.profile import YES, Profile, Question, Sees, count_slots
from ah_ray.records import Clip

END = "<|im_end|>"

SIMPLE = Question(name="simple", positive=YES)
"""What a window asks that has a text of its own: a simpler question, in place of the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAnswer:
    """A label of one of the profile's questions."""

    question: str  # its name
    answer: str
    weight: float = 1.0  # in the loss


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledClip:
    """A decoded window with its labels."""

    window: int  # its row in the labelled manifest
    clip: Clip
    label: bool | None  # whether the first question's answer is the positive one; null: unknown
    question: str | None = None  # null: the profile's
    weight: float = 1.0  # of the first question
    answers: tuple[NamedAnswer, ...] = ()  # to the profile's questions, in their order
    sees: Sees = Sees.BOTH  # what of it the questions about picture and sound are asked of


@dataclass(frozen=True, slots=True)
class Target:
    """The right answer to one question of a look, as the tokens that the model is to give."""

    tokens: tuple[int, ...]
    weight: float


def check_question(question: str) -> None:
    """Raise ConfigError if a question does not hold `<video>` and `<audio>` exactly once each."""
    for slot in ("<video>", "<audio>"):
        if count_slots(question, slot) != 1:
            raise ConfigError(
                f"the question {question[:200]!r} must hold {slot} exactly once, where the model "
                "meets it"
            )
    for special in SPECIAL:
        if special in question:
            raise ConfigError(
                f"the question {question[:200]!r} holds {special}, which is a token of the chat "
                "format; write <video> and <audio> only"
            )


class Questions:
    """Prompts and answers of one profile in one model's tokenizer."""

    def __init__(self, profile: Profile, tokenizer: Tokenizer, ids_per_second: float):
        self.profile = profile
        self.tokenizer = tokenizer
        self._ids_per_second = ids_per_second
        self.end = find_special_id(tokenizer, END)
        self._by_name = {question.name: question for question in profile.complete_questions}
        self._encode = lru_cache(maxsize=256)(self._encode_answer)
        self._prompt = lru_cache(maxsize=256)(self._build_prompt)
        self._join = lru_cache(maxsize=256)(_join_prompts)

    @property
    def first(self) -> Question:
        """Return the question that verdicts are made of."""
        return self.profile.complete_questions[0]

    def spell(self, question: Question, answer: str) -> tuple[int, ...]:
        """Return the tokens of an answer, with the one that ends the turn."""
        return self._encode(question.answer_text(answer))

    def lay_out(self, clip: Clip, question: str | None, answer: tuple[int, ...]) -> ClipLayout:
        """Return the clip's sequence with one question and all but the last token of `answer`.

        Each token of the answer is predicted by the token before it, and the last predicts nothing.
        """
        asked = self.first if question is None else SIMPLE
        prompt = self._prompt(question, asked.name, asked.sees)
        return self.lay_out_tree(clip, self._join(((prompt, answer),)))

    def lay_out_look(self, labelled: LabelledClip) -> tuple[ClipLayout, tuple[Target, ...]]:
        """Return a clip's sequence with all questions that have a label, and a target of each line.

        Where a question would be asked in the very words of one before it, as happens when one of
        them is asked of the sound alone, it is left out of this look.
        """
        lines: dict[Prompt, Target] = {}
        for question, answer, weight in self._list_labels(labelled):
            sees = labelled.sees if question.sees is Sees.BOTH else question.sees
            text = labelled.question if question is SIMPLE else None
            target = Target(self.spell(question, answer), weight)
            lines.setdefault(self._prompt(text, question.name, sees), target)
        tree = self._join(tuple((prompt, target.tokens) for prompt, target in lines.items()))
        return self.lay_out_tree(labelled.clip, tree), tuple(lines.values())

    def _list_labels(self, labelled: LabelledClip) -> list[tuple[Question, str, float]]:
        """Return the questions of a window that have a label, each with its answer and weight."""
        given = {one.question: one for one in labelled.answers}
        first = self.first if labelled.question is None else SIMPLE
        labels = []
        if labelled.label is not None and (first is SIMPLE or first.name not in given):
            labels.append((first, answer_of_label(first, labelled.label), labelled.weight))
        named = (given[name] for name in self._by_name if name in given)
        return labels + [(self._by_name[one.question], one.answer, one.weight) for one in named]

    def lay_out_tree(self, clip: Clip, tree: PromptTree) -> ClipLayout:
        """Return the clip's sequence with the prompts of a tree, as scoring lays it out."""
        frames, samples = clip.frames, clip.samples
        assert frames is not None and samples is not None  # a labelled clip is a decoded one
        return lay_out_clip(
            tree,
            compute_patch_grid(frames.shape),
            count_mel_frames(len(samples)),
            self.profile.grid_seconds(clip.picture_s, len(frames)),
            self._ids_per_second,
            self.profile.floor_positions,
        )

    def _encode_answer(self, text: str) -> tuple[int, ...]:
        return (*self.tokenizer.encode(text, add_special_tokens=False).ids, self.end)

    def _build_prompt(self, text: str | None, name: str, sees: Sees) -> Prompt:
        """Return the prompt of a question, by name; `text` is that of a simpler one."""
        profile = self.profile if text is None else ask_instead(self.profile, text)
        question = self._by_name[name] if text is None else profile.complete_questions[0]
        question = question.model_copy(update={"sees": sees})
        return build_prompt(profile, self.tokenizer, (), question)


def ask_instead(profile: Profile, text: str) -> Profile:
    """Return a profile that asks only a simpler question. Raise ConfigError as `check_question`."""
    check_question(text)
    return profile.model_copy(update={"user": text, "questions": (SIMPLE,), "contrasts": ()})


def answer_of_label(question: Question, label: bool) -> str:
    """Return the answer of a question with two answers that a label stands for: 1 is positive."""
    assert question.positive is not None and len(question.answers) == 2  # label_check.py
    other = next(answer for answer in question.answers if answer != question.positive)
    return question.positive if label else other


def _join_prompts(asked: tuple[tuple[Prompt, tuple[int, ...]], ...]) -> PromptTree:
    """Return the tree of prompts, each with all but the last token of its answer."""
    whole = [(prompt.add_tokens(answer[:-1]), len(answer)) for prompt, answer in asked]
    return PromptTree(join_prompts(whole))
