"""Where the answer is read, in tokenizers that split Yes and No in different ways."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from ah_ray.errors import ConfigError
from ah_ray.omni.answer import compute_p_ah, find_answer_tokens
from ah_ray.profile import load_profile

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())


def merging(*merges: tuple[str, str]) -> Tokenizer:
    """A byte-level tokenizer with these merges, in order, and no word boundaries."""
    vocab = {token: i for i, token in enumerate([*BYTES, *("".join(merge) for merge in merges)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return tokenizer


def ids(tokenizer: Tokenizer, *tokens: str) -> tuple[int, ...]:
    return tuple(tokenizer.token_to_id(token) for token in tokens)


def test_released_tokenizer_needs_two_reads(released_tokenizer):
    answer = find_answer_tokens(released_tokenizer, load_profile("seed"))
    assert answer.start == (27, 9217, 29)
    assert answer.n_reads == 2
    assert answer.yes == ((29, 9454),)
    assert answer.no == ((41157,), (29, 2753))


def test_bytes_alone_need_one_read():
    tokenizer = merging()
    answer = find_answer_tokens(tokenizer, load_profile("seed"))
    assert answer.start == ids(tokenizer, *"<answer>")
    assert answer.n_reads == 1
    assert answer.yes == (ids(tokenizer, "Y"),)
    assert answer.no == (ids(tokenizer, "N"),)


def test_the_other_way_round():
    tokenizer = merging((">", "Y"), (">Y", "e"), (">Ye", "s"))
    answer = find_answer_tokens(tokenizer, load_profile("seed"))
    assert answer.start == ids(tokenizer, *"<answer>")
    assert answer.yes == (ids(tokenizer, ">Yes"), ids(tokenizer, ">", "Y"))
    assert answer.no == (ids(tokenizer, ">", "N"),)


def test_both_merged():
    tokenizer = merging((">", "Y"), (">", "N"))
    answer = find_answer_tokens(tokenizer, load_profile("seed"))
    assert (answer.start, answer.n_reads) == (ids(tokenizer, *"<answer"), 1)
    assert (answer.yes, answer.no) == ((ids(tokenizer, ">Y"),), (ids(tokenizer, ">N"),))


def test_merges_elsewhere_change_nothing():
    tokenizer = merging((">", "N"), ("<", "a"), ("e", "r"))
    answer = find_answer_tokens(tokenizer, load_profile("seed"))
    assert answer.start == ids(tokenizer, "<a", *"nsw", "er", ">")
    assert answer.yes == (ids(tokenizer, ">", "Y"),)
    assert answer.no == (ids(tokenizer, ">N"), ids(tokenizer, ">", "N"))


def test_two_ways_on_are_refused():
    """`r>` and `r` both leave the answer open: one prefill can follow only one of them."""
    tokenizer = merging((">", "N"), ("r", ">"))
    with pytest.raises(ConfigError, match="one pass cannot tell"):
        find_answer_tokens(tokenizer, load_profile("seed"))


def test_a_tokenizer_that_cannot_spell_is_refused():
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    with pytest.raises(ConfigError, match="Yes and No alike"):
        find_answer_tokens(tokenizer, load_profile("seed"))


def test_probabilities_of_the_paths_add_up(released_tokenizer):
    answer = find_answer_tokens(released_tokenizer, load_profile("seed"))
    probabilities = torch.zeros(1, 2, 41158)
    probabilities[0, 0, 29], probabilities[0, 0, 41157] = 0.5, 0.25
    probabilities[0, 1, 9454], probabilities[0, 1, 2753] = 0.6, 0.2
    p, mass = compute_p_ah(answer, probabilities.log())
    assert mass.item() == pytest.approx(0.5 * 0.6 + 0.25 + 0.5 * 0.2)
    assert p.item() == pytest.approx(0.3 / 0.65)


def test_a_model_that_never_answers_still_has_a_share(released_tokenizer):
    """Far below what a float32 probability can hold, the ratio is still right."""
    answer = find_answer_tokens(released_tokenizer, load_profile("seed"))
    log_p = torch.full((1, 2, 41158), -300.0)
    log_p[0, 1, 9454] += 1
    p, mass = compute_p_ah(answer, log_p)
    assert 0 <= mass.item() < 1e-100
    # Yes: e^-599; No: e^-300 outweighs it.
    assert p.item() == pytest.approx(0.0, abs=1e-100)
    log_p[0, 0, 41157] = -601
    p, _ = compute_p_ah(answer, log_p)
    weights = torch.tensor([-599.0, -601.0, -600.0]).softmax(0)
    assert p.item() == pytest.approx(weights[0].item(), rel=1e-5)
