"""Where answers are read, in tokenizers that split them in different ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from ah_ray.errors import ConfigError
from ah_ray.omni.answer_tree import MOST_FORKS, find_answer_tree
from ah_ray.profile import Question

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
YES_NO = Question(name="ah", text="?")


def merging(*merges: tuple[str, str]) -> Tokenizer:
    """A byte-level tokenizer with these merges, in order, and no word boundaries."""
    vocab = {token: i for i, token in enumerate([*BYTES, *("".join(merge) for merge in merges)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return tokenizer


def ids(tokenizer: Tokenizer, *tokens: str) -> tuple[int, ...]:
    return tuple(tokenizer.token_to_id(token) for token in tokens)


def asking(*answers: str) -> Question:
    return Question(name="q", text="?", answers=answers)


def test_released_tokenizer_needs_two_reads(released_tokenizer):
    tree = find_answer_tree(released_tokenizer, YES_NO)
    assert (tree.start, tree.lines) == ((27, 9217), ((29,),))
    assert tree.paths == (((29, 9454),), ((41157,), (29, 2753)))


def test_bytes_alone_need_one_read():
    tokenizer = merging()
    tree = find_answer_tree(tokenizer, YES_NO)
    assert (tree.start, tree.lines) == (ids(tokenizer, *"<answer>"), ((),))
    assert tree.paths == ((ids(tokenizer, "Y"),), (ids(tokenizer, "N"),))


def test_the_other_way_round():
    tokenizer = merging((">", "Y"), (">Y", "e"), (">Ye", "s"))
    tree = find_answer_tree(tokenizer, YES_NO)
    assert (tree.start, tree.lines) == (ids(tokenizer, *"<answer"), (ids(tokenizer, ">"),))
    assert tree.paths[0] == (ids(tokenizer, ">Yes"), ids(tokenizer, ">", "Y"))
    assert tree.paths[1] == (ids(tokenizer, ">", "N"),)


def test_both_merged():
    tokenizer = merging((">", "Y"), (">", "N"))
    tree = find_answer_tree(tokenizer, YES_NO)
    assert (tree.start, tree.lines) == (ids(tokenizer, *"<answer"), ((),))
    assert tree.paths == ((ids(tokenizer, ">Y"),), (ids(tokenizer, ">N"),))


def test_merges_elsewhere_change_nothing():
    tokenizer = merging((">", "N"), ("<", "a"), ("e", "r"))
    tree = find_answer_tree(tokenizer, YES_NO)
    assert tree.start == ids(tokenizer, "<a", *"nsw", "er")
    assert tree.paths[0] == (ids(tokenizer, ">", "Y"),)
    assert tree.paths[1] == (ids(tokenizer, ">N"), ids(tokenizer, ">", "N"))


def test_two_ways_on_are_two_lines():
    """`r>` and `r` both leave the answer open: each is fed in a line of its own."""
    tokenizer = merging((">", "N"), ("r", ">"))
    tree = find_answer_tree(tokenizer, YES_NO)
    assert tree.start == ids(tokenizer, *"<answer"[:-1])
    assert set(tree.lines) == {ids(tokenizer, "r>"), ids(tokenizer, "r", ">")}
    assert set(tree.paths[0]) == {ids(tokenizer, "r>", "Y"), ids(tokenizer, "r", ">", "Y")}


def test_answers_with_distinct_first_tokens_need_no_fork(released_tokenizer):
    tree = find_answer_tree(merging(), asking(*"ABCDEFGHIJKLMNOP"))
    assert tree.lines == ((),) and all(len(paths) == 1 for paths in tree.paths)


def test_an_answer_that_begins_another_is_known_by_what_follows():
    tokenizer = merging()
    tree = find_answer_tree(tokenizer, asking("no", "not sure", "yes"))
    assert tree.lines == (ids(tokenizer, *"no"),)
    assert tree.paths[0] == (ids(tokenizer, *"no<"),)
    assert tree.paths[1] == (ids(tokenizer, *"not"),)
    assert tree.paths[2] == (ids(tokenizer, "y"),)


LETTERS = st.text("ab", min_size=1, max_size=5)


MERGES = [(">", "a"), ("a", "b"), ("b", "a"), ("a", "a"), ("r", ">")]


@given(
    st.lists(LETTERS, min_size=2, max_size=8, unique=True),
    st.lists(st.sampled_from(MERGES), unique=True),
)
def test_every_path_spells_the_beginning_of_its_answer_and_of_no_other(answers, merges):
    tokenizer, question = merging(*merges), asking(*answers)
    tree = find_answer_tree(tokenizer, question)
    whole = [question.answer_text(answer) for answer in answers]
    for own, paths in zip(whole, tree.paths, strict=True):
        assert paths
        for path in paths:
            text = "".join(tokenizer.id_to_token(token) for token in (*tree.start, *path))
            assert [one for one in whole if one.startswith(text)] == [own]
            assert any(line[: len(path) - 1] == path[:-1] for line in tree.lines)
    every = [path for paths in tree.paths for path in paths]
    assert len(set(every)) == len(every) and len(set(tree.lines)) == len(tree.lines)


def test_answers_that_are_too_alike_are_named():
    """A letter joins the one before it in some of the answers, and each way on is a fork."""
    merges = [("a", "a"), ("aa", "aa"), (">", "a"), (">a", "a"), ("r", ">"), ("e", "r")]
    merges += [("er", ">")]
    answers = tuple("a" * n + end for n in range(6, 14) for end in "bc")
    tokenizer = merging(*merges)
    with pytest.raises(ConfigError, match=rf"a+[bc] and a+[bc].* more than {MOST_FORKS} forks"):
        find_answer_tree(tokenizer, asking(*answers))


def test_a_tokenizer_that_cannot_spell_is_refused():
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    with pytest.raises(ConfigError, match="Yes and No alike"):
        find_answer_tree(tokenizer, YES_NO)
