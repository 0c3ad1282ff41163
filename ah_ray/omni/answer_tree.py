"""Find the tokens by which the answers to a question differ. This needs no torch.

Answers may be split into tokens differently. The released tokenizer splits `<answer>Yes` into `<`,
`answer`, `>`, `Yes`, but `<answer>No` into `<`, `answer`, `>No`. So the prompt ends with the
beginning of the answer, and the model is read wherever a token decides:

    after `answer`:  p(`>`), p(`>No`)          after `>`:  p(`Yes`), p(`No`)

    P(Yes) = p(>) · p(Yes | >)        P(No) = p(>No) + p(>) · p(No | >)

The answers form a tree of tokens. Where a token leaves several answers open (`>` above), it is fed,
and they are read again after it. One open token goes on from the prompt; each further one is a fork
of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.profile import Question

TokenPath = tuple[int, ...]
"""Token ids that follow one another."""

MOST_FORKS = 32


@dataclass(frozen=True, slots=True)
class AnswerTree:
    """The tokens of the answers to a question.

    `start` are the tokens that all answers begin with; they are added to the prompt. `lines` are
    what is fed after it, from one open token to the next; the first of them goes on from the
    prompt. `paths` are, for each answer, the ways in which it may be spelled: all tokens after
    `start`. The last one decides and is not fed; those before it are the beginning of a line.
    """

    start: TokenPath
    lines: tuple[TokenPath, ...]
    paths: tuple[tuple[TokenPath, ...], ...]


@dataclass(frozen=True, slots=True)
class _Remainder:
    """The part of an answer that has not been read: its tokens, each with its text."""

    tokens: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.tokens)


def find_answer_tree(tokenizer: Tokenizer, question: Question) -> AnswerTree:
    """Return the tokens of a question's answers in this tokenizer.

    At each read, a token decides if no other answer can begin with it. Raise ConfigError, which
    names the answers, if too many tokens would have to be fed to tell them apart.
    """
    rest = {
        answer: _split_text(tokenizer, question.answer_text(answer)) for answer in question.answers
    }
    together = zip(*(one.tokens for one in rest.values()), strict=False)
    n_shared = next(n for n, tokens in enumerate(together) if len(set(tokens)) > 1)
    start = tuple(token for token, _ in rest[question.answers[0]].tokens[:n_shared])
    rest = {answer: _Remainder(one.tokens[n_shared:]) for answer, one in rest.items()}
    lines: list[TokenPath] = []
    paths: dict[str, list[TokenPath]] = {answer: [] for answer in rest}
    _grow(tokenizer, question, (), rest, lines, paths)
    every = [path for its in paths.values() for path in set(its)]
    if len(set(every)) < len(every):
        raise ConfigError(
            f"the model's tokenizer spells {_join(question.answers)} alike: it is not a "
            "Qwen3-Omni's"
        )
    return AnswerTree(start, tuple(lines), tuple(tuple(paths[a]) for a in question.answers))


def _grow(
    tokenizer: Tokenizer,
    question: Question,
    fed: TokenPath,
    rest: Mapping[str, _Remainder],
    lines: list[TokenPath],
    paths: dict[str, list[TokenPath]],
) -> None:
    """Add what is read after the tokens `fed`, where the answers in `rest` are still possible."""
    open_tokens: dict[int, str] = {}
    for answer, mine in rest.items():
        token, text = mine.tokens[0]
        others = [other for name, other in rest.items() if name != answer]
        if any(other.text.startswith(text) for other in others):
            open_tokens[token] = text
        else:
            paths[answer].append((*fed, token))
    if not open_tokens:
        if len(lines) > MOST_FORKS:
            raise ConfigError(
                f"the question {question.name}: the model's tokenizer splits the answers "
                f"{_join(tuple(rest))} so alike that more than {MOST_FORKS} forks would be needed "
                "to tell all answers apart; choose other words for them"
            )
        lines.append(fed)
    for token, text in open_tokens.items():
        still = {
            answer: _drop_token(tokenizer, one, token, text)
            for answer, one in rest.items()
            if one.text.startswith(text)
        }
        _grow(tokenizer, question, (*fed, token), still, lines, paths)


def _split_text(tokenizer: Tokenizer, text: str) -> _Remainder:
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
    return _split_text(tokenizer, rest.text.removeprefix(text))


def _join(answers: tuple[str, ...]) -> str:
    return " and ".join(answers)
