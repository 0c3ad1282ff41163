"""Write a profile's questions in a model's tokens: what is fed, and where each answer is read.

This needs no torch, so that a profile is checked against a tokenizer before any model is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.answer_tree import AnswerTree, TokenPath, find_answer_tree
from ah_ray.omni.inputs.forks import PromptTree, join_prompts
from ah_ray.omni.inputs.prompt import Prompt, build_prompt
from ah_ray.profile import Contrast, Profile, Question

Picks = tuple[int, ...]
"""Numbers of picks: log-probabilities whose sum is that of a path of tokens."""


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question, and the picks of each way to spell each of its answers."""

    question: Question
    answers: tuple[tuple[Picks, ...], ...]


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """All that a clip is asked."""

    tree: PromptTree
    questions: tuple[AskedQuestion, ...]
    beginning: Picks  # of the tokens that every answer to the first question begins with
    contrasts: tuple[Contrast, ...] = ()


def build_questionnaire(profile: Profile, tokenizer: Tokenizer) -> Questionnaire:
    """Return the questions of a profile in this tokenizer.

    Raise ConfigError if the tokenizer lacks a token of the chat format, or cannot tell the answers
    to a question apart.
    """
    prompts: list[tuple[Prompt, int]] = []
    reads = _Reads()
    questions: list[AskedQuestion] = []
    beginning: Picks = ()
    for question in profile.complete_questions:
        tree = find_answer_tree(tokenizer, question)
        prompt = build_prompt(profile, tokenizer, tree.start, question)
        if not prompts:
            beginning = tuple(reads.pick(reads.add(), token) for token in tree.start)
        questions.append(AskedQuestion(question, _add_lines(prompts, reads, prompt, tree)))
    try:
        lines = join_prompts([(prompt, n_reads) for prompt, n_reads in prompts])
    except ValueError:
        raise ConfigError(
            f"profile {profile.name}: the model's tokenizer spells two of its questions alike; ask "
            "one of them in another way"
        ) from None
    return Questionnaire(
        PromptTree(lines, tuple(reads.picks)), tuple(questions), beginning, profile.contrasts
    )


class _Reads:
    """Numbers the reads and the picks of a clip in the order in which they are added."""

    def __init__(self) -> None:
        self.n_reads = 0
        self.picks: dict[tuple[int, int], int] = {}

    def add(self) -> int:
        self.n_reads += 1
        return self.n_reads - 1

    def pick(self, read: int, token: int) -> int:
        return self.picks.setdefault((read, token), len(self.picks))


def _add_lines(
    prompts: list[tuple[Prompt, int]], reads: _Reads, prompt: Prompt, tree: AnswerTree
) -> tuple[tuple[Picks, ...], ...]:
    """Add the lines of a question to `prompts`, and return the picks of its answers' paths."""
    read_after: dict[TokenPath, int] = {}  # the read after these tokens were fed
    n_before = sum(n_reads for _, n_reads in prompts)
    for line in tree.lines:
        for n_fed in range(len(line) + 1):
            if line[:n_fed] not in read_after:
                read_after[line[:n_fed]] = reads.add()
        prompts.append((prompt.add_tokens(line), reads.n_reads - n_before))
        n_before = reads.n_reads
    return tuple(
        tuple(
            tuple(reads.pick(read_after[path[:n]], token) for n, token in enumerate(path))
            for path in paths
        )
        for paths in tree.paths
    )
