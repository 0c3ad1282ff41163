from hypothesis import given
from hypothesis import strategies as st

from ah_ray.omni.budget import MOST_TOKENS, _trial_clip, token_budget


@given(st.integers(0, 140 << 30), st.integers(1, 140 << 30), st.integers(100, 20_000))
def test_what_is_found_fits(free, trial_bytes, trial_tokens):
    budget = token_budget(free, trial_bytes, trial_tokens)
    assert 1 <= budget <= MOST_TOKENS
    assert budget == 1 or budget * trial_bytes <= free * trial_tokens


def test_most_of_what_is_free_is_used():
    assert token_budget(10 << 30, 2 << 30, 10_000) == 42_000
    assert token_budget(100 << 30, 2 << 30, 10_000) == MOST_TOKENS


def test_the_trial_is_as_large_as_the_profile_allows(scorer, profile):
    large = profile.model_copy(update={"max_pixels": 786_432})
    frames, samples, layout = _trial_clip(scorer._thinker, scorer._prompt, large)
    assert frames.shape == (10, 864, 864, 3) and len(samples) == 80_000
    assert layout.n_tokens == 5 * 27 * 27 + 65 + len(scorer._prompt.ids(0, 0))
