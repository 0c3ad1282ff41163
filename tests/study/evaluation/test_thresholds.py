import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.evaluation.figures.measures import answer_measures, confusions
from ah_ray.study.evaluation.figures.thresholds import fit_threshold
from ah_ray.study.evaluation.settings import Threshold
from ah_ray.study.evaluation.view.text import format_threshold

SCORES = st.one_of(st.sampled_from([0.0, 0.5, 0.5000000000000001, 1.0]), st.floats(0, 1))
VIDEOS = st.lists(st.tuples(st.booleans(), SCORES), min_size=1, max_size=30)


def columns(videos):
    label, p_ah = zip(*videos, strict=True)
    return np.array(label), np.array(p_ah)


def macro_f1(label, p_ah, threshold):
    return answer_measures(confusions(label, p_ah >= threshold).sum(axis=0))["macro_f1"]


@given(VIDEOS)
def test_no_threshold_has_a_higher_macro_f1(videos):
    label, p_ah = columns(videos)
    found = fit_threshold(Threshold.MACRO_F1, label, p_ah)
    assert 0 <= found <= 1
    others = [0.0, 1.0, *p_ah, *np.nextafter(p_ah[p_ah < 1], 1)]
    assert macro_f1(label, p_ah, found) >= max(macro_f1(label, p_ah, t) for t in others) - 1e-12


@given(VIDEOS)
def test_no_threshold_comes_nearer_to_the_base_rate(videos):
    label, p_ah = columns(videos)
    found = fit_threshold(Threshold.BASE_RATE, label, p_ah)
    assert 0 <= found <= 1
    others = [0.0, 1.0, *p_ah, *np.nextafter(p_ah[p_ah < 1], 1)]
    off = [abs((p_ah >= t).sum() - label.sum()) for t in (found, *others)]
    assert off[0] == min(off)


@given(VIDEOS, st.randoms(use_true_random=False), st.sampled_from(["macro-f1", "base-rate"]))
def test_the_order_of_videos_is_nothing(videos, random, how):
    shuffled = random.sample(videos, len(videos))
    found = [fit_threshold(Threshold(how), *columns(each)) for each in (videos, shuffled)]
    assert found[0] == found[1]


def test_by_hand():
    label = np.array([False, False, True, False, True, True])
    p_ah = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    assert fit_threshold(Threshold.MACRO_F1, label, p_ah) == pytest.approx(0.65)  # or 0.25: equal
    assert fit_threshold(Threshold.BASE_RATE, label, p_ah) == pytest.approx(0.45)


@given(VIDEOS, st.sampled_from(["macro-f1", "base-rate"]))
def test_what_is_printed_gives_the_same_answers(videos, how):
    label, p_ah = columns(videos)
    found = fit_threshold(Threshold(how), label, p_ah)
    printed = float(format_threshold(found))
    assert ((p_ah >= printed) == (p_ah >= found)).all()


def test_close_scores_keep_their_digits():
    label, p_ah = np.array([False, True]), np.array([0.99996, 0.99997])
    found = format_threshold(fit_threshold(Threshold.MACRO_F1, label, p_ah))
    assert found == "0.999965"  # 1.000 would answer otherwise
    neighbours = np.array([0.5, np.nextafter(0.5, 1)])
    answers = neighbours >= fit_threshold(Threshold.MACRO_F1, label, neighbours)
    assert answers.tolist() == [False, True]
