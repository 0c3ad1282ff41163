"""Arrange the prompts of one clip as a tree, so that what they have in common is computed once.

Several questions about a clip, and several spellings of an answer, are prompts that begin alike.
The first prompt is the main line. Each later one is a fork: it shares its beginning with a line
before it, as far as the tokens agree, and adds only its own. Which tokens agree does not depend on
the clip: a slot has the same length in every prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ah_ray.omni.inputs.prompt import Prompt, Slot


@dataclass(frozen=True, slots=True)
class Line:
    """One prompt of a tree, and what it shares with the line `parent` before it.

    The first `shared_pieces` pieces are shared whole, and `shared_tokens` of the piece after them.
    """

    prompt: Prompt
    n_reads: int  # its last positions that are read; all of them are its own
    parent: int = 0
    shared_pieces: int = 0
    shared_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PromptTree:
    """The prompts of one clip, and what is read after them.

    `picks` are the log-probabilities that are wanted: pairs of a read and the token after it. Reads
    are numbered line after line.
    """

    lines: tuple[Line, ...]
    picks: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_prompt(cls, prompt: Prompt, n_reads: int = 1) -> Self:
        """Return the tree of a single prompt."""
        return cls((Line(prompt, n_reads),))


def join_prompts(prompts: Sequence[tuple[Prompt, int]]) -> tuple[Line, ...]:
    """Return prompts, each with its number of reads, as the lines of a tree.

    Raise ValueError if a prompt is wholly contained in one before it.
    """
    lines: list[Line] = []
    for prompt, n_reads in prompts:
        shared = [_measure_shared(prompt, line.prompt) for line in lines]
        most = max(shared, default=(0, 0))
        if most[0] == len(prompt.pieces):
            raise ValueError("two prompts of a clip are the same, or one begins the other")
        parent = shared.index(most) if shared else 0
        lines.append(Line(prompt, n_reads, parent, *most))
    return tuple(lines)


def _measure_shared(prompt: Prompt, other: Prompt) -> tuple[int, int]:
    """Return how many pieces of a prompt another one shares, and how many tokens of the next."""
    for number, (mine, theirs) in enumerate(zip(prompt.pieces, other.pieces, strict=False)):
        if mine == theirs:
            continue
        if isinstance(mine, Slot) or isinstance(theirs, Slot):
            return number, 0
        pairs = zip(mine, theirs, strict=False)
        n_tokens = next(
            (n for n, (a, b) in enumerate(pairs) if a != b), min(len(mine), len(theirs))
        )
        is_whole = n_tokens == len(mine) and number + 1 == len(prompt.pieces)
        return (number + 1, 0) if is_whole else (number, n_tokens)
    return min(len(prompt.pieces), len(other.pieces)), 0
