import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from ah_ray.reduction import Scaling, logit, sigmoid
from ah_ray.study.evaluation.calibrating import (
    ScalingKind,
    ece,
    fit_scaling,
    log_losses,
    reliability,
)

VIDEOS = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40)


def columns(videos):
    label, p_ah = zip(*videos, strict=True)
    return np.array(label), np.array(p_ah)


def heard(n, slope, intercept, seed=0):
    """(label, p_ah) whose true probability is sigmoid(slope · logit(p_ah) + intercept)."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 2, n)
    label = random.random(n) < 1 / (1 + np.exp(-(slope * x + intercept)))
    return label, 1 / (1 + np.exp(-x))


def test_ece_by_hand():
    label = np.array([False, True, True, True, False])
    p_ah = np.array([0.05, 0.07, 0.95, 1.0, 0.9])
    bins = reliability(label, p_ah)
    assert [b.n for b in bins] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert (bins[0].mean_p, bins[0].share_ah) == (pytest.approx(0.06), 0.5)
    assert (bins[1].mean_p, bins[1].share_ah) == (None, None)
    assert ece(bins) == pytest.approx(2 / 5 * 0.44 + 3 / 5 * abs(2 / 3 - 0.95))


@given(VIDEOS)
def test_every_video_is_in_one_bin(videos):
    label, p_ah = columns(videos)
    bins = reliability(label, p_ah)
    assert sum(b.n for b in bins) == len(videos)
    assert all(b.low <= b.mean_p <= b.high or b.mean_p == pytest.approx(b.low) for b in bins if b.n)


def test_losses_as_scikit_learn():
    label, p_ah = heard(500, 1, 0)
    assert log_losses(label, p_ah).mean() == pytest.approx(log_loss(label, p_ah))
    assert ((p_ah - label) ** 2).mean() == pytest.approx(brier_score_loss(label, p_ah))


def test_platt_as_scikit_learns_regression_on_the_same_targets():
    label, p_ah = heard(400, 0.4, -1)
    found = fit_scaling(ScalingKind.PLATT, label, p_ah)
    x = np.array([logit(p) for p in p_ah])
    n_ah = label.sum()
    target = np.where(label, (n_ah + 1) / (n_ah + 2), 1 / (len(label) - n_ah + 2))
    both = np.concatenate([x, x])[:, None], np.repeat([1, 0], len(x))
    there = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        *both, sample_weight=np.concatenate([target, 1 - target])
    )
    assert found.slope == pytest.approx(there.coef_[0, 0], rel=1e-4)
    assert found.intercept == pytest.approx(there.intercept_[0], rel=1e-4)


def test_the_temperature_that_it_was_made_with():
    found = fit_scaling(ScalingKind.TEMPERATURE, *heard(100_000, 0.25, 0))
    assert (found.slope, found.intercept) == (pytest.approx(0.25, rel=0.03), 0.0)


@pytest.mark.parametrize("kind", [ScalingKind.TEMPERATURE, ScalingKind.PLATT])
def test_fitted_on_some_it_helps_others(kind):
    fitted = fit_scaling(kind, *heard(300, 0.3, 0, seed=1))
    label, p_ah = heard(2_000, 0.3, 0, seed=2)
    scaled = np.array([fitted(p) for p in p_ah])
    assert ece(reliability(label, scaled)) < ece(reliability(label, p_ah)) / 2
    assert log_losses(label, scaled).mean() < log_losses(label, p_ah).mean()


@given(VIDEOS, st.sampled_from([ScalingKind.TEMPERATURE, ScalingKind.PLATT]))
def test_whatever_it_is_given_it_is_finite_and_rises(videos, kind):
    found = fit_scaling(kind, *columns(videos))
    assert found is None or (isinstance(found, Scaling) and found.slope > 0)


@given(VIDEOS)
def test_no_temperature_near_it_is_likelier(videos):
    label, p_ah = columns(videos)
    found = fit_scaling(ScalingKind.TEMPERATURE, label, p_ah)
    if found is None:
        return
    n_ah = label.sum()
    target = np.where(label, (n_ah + 1) / (n_ah + 2), 1 / (len(label) - n_ah + 2))

    def loss(slope):
        scaled = np.array([sigmoid(slope * logit(p)) for p in p_ah])
        return -(target * np.log(scaled) + (1 - target) * np.log1p(-scaled)).sum()

    assert all(
        loss(found.slope) <= loss(found.slope * factor) + 1e-9 for factor in (0.5, 0.99, 1.01, 2)
    )


def test_scores_that_fall_with_ah_are_not_turned_round():
    label, p_ah = heard(500, -1, 0)
    assert fit_scaling(ScalingKind.TEMPERATURE, label, p_ah) is None
    assert fit_scaling(ScalingKind.PLATT, label, p_ah) is None


def test_scores_that_part_the_labels():
    label = np.arange(40) >= 20
    found = fit_scaling(ScalingKind.TEMPERATURE, label, np.where(label, 0.6, 0.4))
    assert found(0.6) == pytest.approx(21 / 22) and found(0.4) == pytest.approx(1 / 22)
