"""Where in one prefill P(Yes) and P(No) are read.

Yes and No need not tokenise alike. With the released tokenizer `<answer>Yes` is `<`, `answer`,
`>`, `Yes`, but `<answer>No` is `<`, `answer`, `>No`. So `<answer>` is put into the model's mouth,
and two positions are read:

    after `answer`:  p(`>`), p(`>No`)          after `>`:  p(`Yes`), p(`No`)

    P(Yes) = p(>) · p(Yes | >)        P(No) = p(>No) + p(>) · p(No | >)

The paths are derived from the checkpoint's tokenizer by walking both answers from the first token
at which they differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.profile import NO, YES

Path = tuple[int, ...]
"""Token ids whose probabilities are multiplied: the first at the first read, and so on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer's tokens: `start` ends the prompt, and its last `n_reads` positions are read."""

    start: tuple[int, ...]
    n_reads: int
    yes: tuple[Path, ...]
    no: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of an answer: its own tokens, and the text that each stands for."""

    tokens: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.tokens)


def read_answer(tokenizer: Tokenizer) -> Answer:
    """Walk both answers in this tokenizer.

    At each read, a token that the other answer could not begin with decides. At most one token
    may leave it open (`>` above); it is then fed, and both answers are read again after it.
    Raises ConfigError if one prefill cannot tell the answers apart.
    """
    yes, no = _split(tokenizer, YES), _split(tokenizer, NO)
    shared = next(i for i, (y, n) in enumerate(zip(yes.tokens, no.tokens, strict=False)) if y != n)
    start = [token for token, _ in yes.tokens[:shared]]
    yes, no = _Rest(yes.tokens[shared:]), _Rest(no.tokens[shared:])
    fed: list[int] = []
    paths: dict[str, list[Path]] = {YES: [], NO: []}
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
                "the model's tokenizer splits Yes and No so that one pass cannot tell"
            )
        (token, text) = open_tokens.pop()
        yes, no = (_after(tokenizer, rest, token, text) for rest in (yes, no))
        fed.append(token)
    if set(paths[YES]) & set(paths[NO]):
        raise ConfigError("the model's tokenizer spells Yes and No alike: it is not a Qwen3-Omni's")
    return Answer((*start, *fed), len(fed) + 1, tuple(paths[YES]), tuple(paths[NO]))


def _split(tokenizer: Tokenizer, text: str) -> _Rest:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    pieces = (text[first:last] for first, last in encoding.offsets)
    rest = _Rest(tuple(zip(encoding.ids, pieces, strict=True)))
    if rest.text != text:
        raise ConfigError(f"the model's tokenizer cannot spell {text}: it is not a Qwen3-Omni's")
    return rest


def _after(tokenizer: Tokenizer, rest: _Rest, token: int, text: str) -> _Rest:
    """What is left after the fed token: the answer's own tokens, or its text tokenised anew."""
    if rest.tokens[0][0] == token:
        return _Rest(rest.tokens[1:])
    return _split(tokenizer, rest.text.removeprefix(text))


def p_ah(answer: Answer, log_p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """P(Yes) over P(Yes) + P(No), and that sum (the answer mass).

    `log_p` [n, n_reads, V] are log-probabilities of the next token at each read; both results are
    [n] float64. Sums and ratio are of logarithms, so a model that says something else altogether
    still gives a number, and a mass near 0 that tells.
    """
    yes, no = (
        torch.stack(
            [
                sum(log_p[:, read, token].double() for read, token in enumerate(path))
                for path in paths
            ]
        ).logsumexp(0)
        for paths in (answer.yes, answer.no)
    )
    return (yes - no).sigmoid(), yes.exp() + no.exp()
