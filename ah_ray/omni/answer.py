"""Find where one prefill gives the probabilities of Yes and No, and read them.

Yes and No may be split into tokens differently. The released tokenizer splits `<answer>Yes` into
`<`, `answer`, `>`, `Yes`, but `<answer>No` into `<`, `answer`, `>No`. So the prompt ends with the
beginning of the answer, and two positions are read:

    after `answer`:  p(`>`), p(`>No`)          after `>`:  p(`Yes`), p(`No`)

    P(Yes) = p(>) · p(Yes | >)        P(No) = p(>No) + p(>) · p(No | >)

These paths come from the checkpoint's tokenizer: both answers are followed from the first token at
which they differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import torch
from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.profile import NO, YES, Profile

TokenPath = tuple[int, ...]
"""Token ids whose probabilities are multiplied, one for each read."""


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """The tokens of both answers, and where they are read.

    `start` is added to the end of the prompt; its last `n_reads` positions are read. The positions
    before those, one for each token that both answers begin with, show whether the model would have
    begun in this way by itself. `yes` and `no` are the paths of each answer.
    """

    start: tuple[int, ...]
    n_reads: int
    yes: tuple[TokenPath, ...]
    no: tuple[TokenPath, ...]

    @property
    def n_positions(self) -> int:
        """Return how many of a sequence's last positions are used."""
        return self.n_forced + self.n_reads

    @property
    def n_forced(self) -> int:
        """Return how many tokens of `start` come before the first token that is read."""
        return len(self.start) - self.n_reads + 1


@dataclass(frozen=True, slots=True)
class _Remainder:
    """The part of an answer that has not been read: its tokens, each with its text."""

    tokens: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.tokens)


def find_answer_tokens(tokenizer: Tokenizer, profile: Profile) -> AnswerTokens:
    """Return the tokens of the profile's two answers in this tokenizer.

    At each read, a token decides if the other answer cannot begin with it. At most one token may
    leave both answers possible (`>` above); it is then added to the prompt, and both answers are
    read again after it. Raise ConfigError if one prefill cannot tell the answers apart.
    """
    yes, no = (_split_answer(tokenizer, profile.answer_text(is_yes)) for is_yes in (True, False))
    shared = next(i for i, (y, n) in enumerate(zip(yes.tokens, no.tokens, strict=False)) if y != n)
    start = [token for token, _ in yes.tokens[:shared]]
    yes, no = _Remainder(yes.tokens[shared:]), _Remainder(no.tokens[shared:])
    fed: list[int] = []
    paths: dict[str, list[TokenPath]] = {YES: [], NO: []}
    while True:
        open_tokens = set()
        for answer, mine, other in ((YES, yes, no), (NO, no, yes)):
            token, text = mine.tokens[0]
            if other.text.startswith(text):
                open_tokens.add((token, text))
            else:
                paths[answer].append((*fed, token))
        if not open_tokens:
            break
        if len(open_tokens) > 1:
            raise ConfigError(
                f"the model's tokenizer splits {YES} and {NO} so that one pass cannot tell "
                "them apart; copy the tokenizer of a released Qwen3-Omni"
            )
        (token, text) = open_tokens.pop()
        yes, no = (_drop_token(tokenizer, rest, token, text) for rest in (yes, no))
        fed.append(token)
    if set(paths[YES]) & set(paths[NO]):
        raise ConfigError(
            f"the model's tokenizer spells {YES} and {NO} alike: it is not a Qwen3-Omni's"
        )
    return AnswerTokens((*start, *fed), len(fed) + 1, tuple(paths[YES]), tuple(paths[NO]))


def _split_answer(tokenizer: Tokenizer, text: str) -> _Remainder:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    pieces = (text[first:last] for first, last in encoding.offsets)
    rest = _Remainder(tuple(zip(encoding.ids, pieces, strict=True)))
    if rest.text != text:
        raise ConfigError(f"the model's tokenizer cannot spell {text}: it is not a Qwen3-Omni's")
    return rest


def _drop_token(tokenizer: Tokenizer, rest: _Remainder, token: int, text: str) -> _Remainder:
    """Return what follows an added token: the tokens that are left, or their text split again."""
    if rest.tokens[0][0] == token:
        return _Remainder(rest.tokens[1:])
    return _split_answer(tokenizer, rest.text.removeprefix(text))


def compute_format_mass(answer: AnswerTokens, log_p: torch.Tensor) -> torch.Tensor:
    """Return the probability [n] float64 that the model begins its answer in the forced way.

    `log_p` [n, n_positions, V] are log-probabilities of the next token at each position. The result
    is 1 where no token was forced. It is near 0 for a model that was not trained on this format, or
    that would think first. `answer_mass` cannot show this, because it is read after the forced
    tokens.
    """
    begun = torch.zeros(len(log_p), dtype=torch.float64, device=log_p.device)
    for position, token in enumerate(answer.start[: answer.n_forced]):
        begun += log_p[:, position, token].double()
    return begun.exp()


def compute_p_ah(answer: AnswerTokens, log_p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return P(Yes) / (P(Yes) + P(No)) and that sum, the answer mass; both are [n] float64.

    `log_p` [n, n_reads, V] are log-probabilities of the next token at each read. Sum and ratio are
    computed from logarithms, so a model that answers something else still gives a number, with a
    mass near 0.
    """
    yes, no = (
        torch.stack(
            [
                reduce(torch.add, (log_p[:, n, token].double() for n, token in enumerate(path)))
                for path in paths
            ]
        ).logsumexp(0)
        for paths in (answer.yes, answer.no)
    )
    return (yes - no).sigmoid(), yes.exp() + no.exp()
