from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from ah_ray.study.evaluation.alternatives import apply_scaling
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.figures.calibration import (
    N_BINS,
    bin_numbers,
    calibration_curve,
    error_if_perfect,
    expected_calibration_error,
    fit_scaling,
)
from ah_ray.study.evaluation.figures.calibration_intervals import log_losses
from ah_ray.study.evaluation.settings import EvaluateSettings, ScalingKind
from ah_ray.verdicts.reduction import IsotonicScaling, Reduction, Scaling, logit, sigmoid
from ah_ray.verdicts.verdict import clip_threshold_in_tables

VIDEOS = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40)
FITTED = [ScalingKind.TEMPERATURE, ScalingKind.PLATT]


def columns(videos):
    label, p_ah = zip(*videos, strict=True)
    return np.array(label), np.array(p_ah)


def heard(n, slope, intercept, seed=0):
    """(label, p_ah) whose true probability is sigmoid(slope · logit(p_ah) + intercept)."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 2, n)
    label = random.random(n) < 1 / (1 + np.exp(-(slope * x + intercept)))
    return label, 1 / (1 + np.exp(-x))


def test_the_error_by_hand():
    """Two bins far off by .4 and .3, with a deviation of .08: chance adds hardly anything."""
    label = np.tile(np.arange(25) < 5, 2)
    p_ah = np.repeat([0.6, 0.5], 25)
    found = expected_calibration_error(label, p_ah)
    wanted = [2 * d - mean_of_folded(d, (0.2 * 0.8 / 25) ** 0.5) for d in (0.4, 0.3)]
    assert found == pytest.approx(np.mean(wanted))
    assert found == pytest.approx(0.35, abs=0.001)


def mean_of_folded(mean, sd):
    """E|X| of X normal, by brute force."""
    x = np.linspace(mean - 9 * sd, mean + 9 * sd, 200_001)
    density = np.exp(-(((x - mean) / sd) ** 2) / 2) / sd / (2 * np.pi) ** 0.5
    return (np.abs(x) * density).sum() * (x[1] - x[0])


@pytest.mark.parametrize("n", [100, 500])
def test_the_error_of_perfect_scores_is_near_0(n):
    """The plain error with ten bins of equal width is about .08 at 100 videos."""
    found = [
        expected_calibration_error(*heard(n, slope=1, intercept=0, seed=seed))
        for seed in range(200)
    ]
    assert np.mean(found) < (0.05 if n == 100 else 0.025)
    _, p_ah = heard(n, slope=1, intercept=0)
    assert error_if_perfect(p_ah, Bootstrap(draws=500)) == pytest.approx(np.mean(found), abs=0.01)


def test_what_perfect_calibration_shows_depends_on_the_seed_alone():
    _, p_ah = heard(60, 1, 0)
    first, again, other = (error_if_perfect(p_ah, Bootstrap(seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


@settings(max_examples=50)
@given(VIDEOS)
def test_the_error_is_a_share(videos):
    assert 0 <= expected_calibration_error(*columns(videos)) <= 1


@given(VIDEOS)
def test_every_video_is_in_one_bin_and_equal_scores_in_the_same(videos):
    label, p_ah = columns(videos)
    bins = calibration_curve(label, p_ah, np.arange(len(videos)))
    assert sum(b.n for b in bins) == len(videos) and len(bins) <= N_BINS
    assert all(b.low <= b.mean_p + 1e-12 and b.mean_p <= b.high + 1e-12 for b in bins)
    assert all(a.high < b.low for a, b in pairwise(bins))
    assert len(np.unique(bin_numbers(p_ah))) == len(bins)


def test_bins_hold_equally_many_and_have_a_band():
    label, p_ah = heard(500, 1, 0)
    bins = calibration_curve(label, p_ah, np.arange(500) // 5)
    assert [b.n for b in bins] == [100] * 5
    assert all(b.share_low < b.share_ah < b.share_high for b in bins)
    few = calibration_curve(label[:20], p_ah[:20], np.arange(20) // 5)
    assert all(b.share_low is None for b in few)


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


def test_isotonic_as_scikit_learn():
    label, p_ah = heard(300, 0.6, -0.5)
    p_ah = p_ah.round(2)  # with ties
    found = fit_scaling(ScalingKind.ISOTONIC, label, p_ah)
    there = IsotonicRegression(out_of_bounds="clip").fit(p_ah, label)
    at = np.linspace(0, 1, 401)
    assert apply_scaling(at, found) == pytest.approx(there.predict(at))


@given(VIDEOS, st.floats(0, 1), st.floats(0, 1))
def test_an_isotonic_curve_never_falls_and_can_be_written(videos, a, b):
    found = fit_scaling(ScalingKind.ISOTONIC, *columns(videos))
    if found is None:
        return
    low, high = sorted((a, b))
    assert 0 <= found(low) <= found(high) <= 1
    assert type(found).model_validate_json(found.model_dump_json()) == found
    written = Reduction(scaling=found).model_dump_json()
    assert Reduction.model_validate_json(written).scaling == found


@given(VIDEOS, st.sampled_from([*FITTED, ScalingKind.ISOTONIC]), st.floats(0.01, 0.99))
def test_the_threshold_of_tables_gives_the_same_answers(videos, kind, threshold):
    """Clips in tables have the model's own p_ah: the scaling is taken back from the threshold."""
    label, p_ah = columns(videos)
    scaling = fit_scaling(kind, label, p_ah)
    if scaling is None:
        return
    at = clip_threshold_in_tables(Reduction(scaling=scaling, threshold=threshold))
    for p in p_ah.tolist():
        if abs(scaling(p) - threshold) > 1e-9:
            assert (p >= at) == (scaling(p) >= threshold)


def test_isotonic_points_that_fall_are_refused():
    for p, value in (((0.5, 0.2), (0.1, 0.9)), ((0.2, 0.5), (0.9, 0.1)), ((0.2, 0.5), (0.1,))):
        with pytest.raises(ValueError, match=r"p must rise|equally many"):
            IsotonicScaling(p=p, value=value)


def test_the_temperature_that_it_was_made_with():
    found = fit_scaling(ScalingKind.TEMPERATURE, *heard(100_000, 0.25, 0))
    assert (found.slope, found.intercept) == (pytest.approx(0.25, rel=0.03), 0.0)


@pytest.mark.parametrize("kind", [*FITTED, ScalingKind.ISOTONIC])
def test_fitted_on_some_it_helps_others(kind):
    fitted = fit_scaling(kind, *heard(300, 0.3, 0, seed=1))
    label, p_ah = heard(2_000, 0.3, 0, seed=2)
    scaled = apply_scaling(p_ah, fitted)
    before, after = (expected_calibration_error(label, p) for p in (p_ah, scaled))
    assert after < before / 2
    assert ((scaled - label) ** 2).mean() < ((p_ah - label) ** 2).mean()


@given(VIDEOS, st.sampled_from(FITTED))
def test_the_scaled_value_of_any_p_is_finite_and_rises(videos, kind):
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


@pytest.mark.parametrize("kind", [*FITTED, ScalingKind.ISOTONIC])
def test_scores_that_fall_with_ah_are_not_turned_round(kind):
    label = np.arange(40) < 20
    assert fit_scaling(kind, label, np.linspace(0.1, 0.9, 40)) is None


def test_scores_that_part_the_labels():
    label = np.arange(40) >= 20
    found = fit_scaling(ScalingKind.TEMPERATURE, label, np.where(label, 0.6, 0.4))
    assert found(0.6) == pytest.approx(21 / 22) and found(0.4) == pytest.approx(1 / 22)


MODELS = {  # signal of an A/H clip, slope and shift of its logit
    "mild": (2.0, 1.0, 0.0),
    "overconfident": (2.0, 3.0, 0.0),
    "shifted": (2.0, 1.0, 1.5),
    "strong": (4.0, 1.0, 0.0),
}


def cohort_of_maxima(n_participants, n_videos, model, random):
    """label and p_ah by `any` of videos of 1 to 19 clips, as BAH has them; people differ."""
    signal, slope, shift = MODELS[model]
    whose = np.sort(random.integers(0, n_participants, n_videos))
    own = random.normal(0, 0.5, (2, n_participants))
    n_clips = np.clip(np.round(random.gamma(2.6, 2.06, n_videos)), 1, 19).astype(int)
    label = random.random(n_videos) < 1 / (1 + np.exp(-own[0][whose]))
    p_ah = []
    for is_ah, n, person in zip(label, n_clips, whose, strict=True):
        marked = (np.arange(n) < max(1, n // 3)) & is_ah
        x = signal * (marked - 0.5) + own[1][person] + random.normal(size=n)
        p_ah.append(1 / (1 + np.exp(-(slope * x + shift))))
    return label, np.array([each.max() for each in p_ah])


@pytest.mark.parametrize("model", MODELS)
def test_the_default_calibration_of_any_on_cohorts_as_large_as_bah(model):
    """40 cohorts: 124 videos of val, 525 of test. Temperature cannot shift a maximum."""
    default = EvaluateSettings(outs=("a",), labels="b").scaling
    assert default is ScalingKind.PLATT
    random, errors = np.random.default_rng(13), {kind: [] for kind in ("none", *FITTED)}
    for _ in range(40):
        val = cohort_of_maxima(30, 124, model, random)
        label, p_ah = cohort_of_maxima(75, 525, model, random)
        errors["none"].append(expected_calibration_error(label, p_ah))
        for kind in FITTED:
            scaled = apply_scaling(p_ah, fit_scaling(kind, *val))
            errors[kind].append(expected_calibration_error(label, scaled))
    mean = {kind: float(np.mean(each)) for kind, each in errors.items()}
    assert mean[default] <= 0.08, mean
    if model != "strong":
        assert mean[default] < mean["none"], mean
