import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # scikit-learn brings it

from ah_ray.study.evaluation.figures.length_bias import measure_length_bias, rank_correlation
from ah_ray.study.evaluation.predictions import Predictions

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), min_size=2, max_size=40)


@given(PAIRS)
def test_rank_correlation_as_scipy(pairs):
    a, b = np.array(pairs, float).T
    found = rank_correlation(a, b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(a, b).statistic)


def test_bands_by_hand():
    label = [0, 0, 1, 0, 1]
    p_ah = [0.1, 0.6, 0.7, 0.8, 0.2]
    predictions = Predictions.of(label, p_ah, np.array(p_ah) >= 0.5, np.arange(5))
    found = measure_length_bias(predictions, np.array([1, 3, 4, 30, 30]))
    assert [(band.low, band.high, band.n_videos, band.n_ah) for band in found.bands] == [
        (1, 1, 1, 0),
        (3, 4, 2, 1),
        (17, None, 2, 1),
    ]
    assert [band.share_yes for band in found.bands] == [0, 1, 0.5]
    assert [band.share_yes_of_not_ah for band in found.bands] == [0, 1, 1]
    assert found.rank_correlation == pytest.approx(1)


def test_any_is_biased_and_mean_is_not():
    """Of clips that tell nothing at all, `any` makes a Yes of long videos."""
    random = np.random.default_rng(3)
    n_clips = random.integers(1, 12, 500)
    clips = [random.random(n) for n in n_clips]
    label = random.random(500) < 0.5
    for reduce, low, high in ((max, 0.35, 1), (np.mean, -0.15, 0.15)):
        p_ah = np.array([reduce(each) for each in clips])
        predictions = Predictions.of(label, p_ah, p_ah >= 0.5, np.arange(500))
        assert low < measure_length_bias(predictions, n_clips).rank_correlation < high
