"""Measures against scikit-learn, against counts by hand, and against the field's own sweep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from ah_ray.study.evaluation.figures.measures import (
    THRESHOLDS,
    answer_measures,
    auroc,
    average_precision,
    average_precision_1000,
    confusions,
)

SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.999, 1.0]), st.floats(0, 1))
few = settings(max_examples=30)  # scikit-learn takes its time
VIDEOS = st.lists(st.tuples(st.booleans(), SCORES), min_size=1, max_size=60)


def columns(videos):
    label, p_ah = zip(*videos, strict=True)
    return np.array(label), np.array(p_ah)


def once(label):
    return np.ones((1, len(label)))


@few
@given(VIDEOS, st.floats(0, 1))
def test_answers_as_scikit_learn(videos, threshold):
    label, p_ah = columns(videos)
    yes = p_ah >= threshold
    found = answer_measures(confusions(label, yes).sum(axis=0))
    both = {"labels": [False, True], "zero_division": 0}
    ah = {"pos_label": True, "zero_division": 0}
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(label, yes))
    for name, average in (("macro_f1", "macro"), ("weighted_f1", "weighted")):
        wanted = sklearn_metrics.f1_score(label, yes, average=average, **both)
        assert found[name] == pytest.approx(wanted)
    each = sklearn_metrics.f1_score(label, yes, average=None, **both)
    assert [found["f1_not_ah"], found["f1_ah"]] == pytest.approx(list(each))
    assert found["precision_ah"] == pytest.approx(sklearn_metrics.precision_score(label, yes, **ah))
    assert found["recall_ah"] == pytest.approx(sklearn_metrics.recall_score(label, yes, **ah))
    tn, fp, fn, tp = sklearn_metrics.confusion_matrix(label, yes, labels=[False, True]).ravel()
    assert confusions(label, yes).sum(axis=0).tolist() == [tp, fp, fn, tn]


def test_answers_by_hand():
    found = answer_measures(np.array([3, 1, 2, 4]))
    assert found == {
        "accuracy": pytest.approx(7 / 10),
        "macro_f1": pytest.approx((6 / 9 + 8 / 11) / 2),
        "weighted_f1": pytest.approx((5 * 6 / 9 + 5 * 8 / 11) / 10),
        "f1_ah": pytest.approx(6 / 9),
        "f1_not_ah": pytest.approx(8 / 11),
        "precision_ah": pytest.approx(3 / 4),
        "npv": pytest.approx(4 / 6),
        "recall_ah": pytest.approx(3 / 5),
        "specificity": pytest.approx(4 / 5),
        "balanced_accuracy": pytest.approx((3 / 5 + 4 / 5) / 2),
        "rate_of_yes": pytest.approx(4 / 10),
    }


@few
@given(VIDEOS)
def test_specificity_npv_balanced_accuracy_and_auroc_as_scikit_learn(videos):
    label, p_ah = columns(videos)
    yes = p_ah >= 0.5
    found = answer_measures(confusions(label, yes).sum(axis=0))
    others = {"pos_label": False, "zero_division": 0}
    wanted = sklearn_metrics.recall_score(label, yes, **others)
    assert found["specificity"] == pytest.approx(wanted)
    assert found["npv"] == pytest.approx(sklearn_metrics.precision_score(label, yes, **others))
    (area,) = auroc(label, p_ah, once(label))
    if label.all() or not label.any():
        assert np.isnan(area)
        return
    wanted = sklearn_metrics.balanced_accuracy_score(label, yes)
    assert found["balanced_accuracy"] == pytest.approx(wanted)
    assert area == pytest.approx(sklearn_metrics.roc_auc_score(label, p_ah))


@few
@given(VIDEOS)
def test_average_precision_as_scikit_learn(videos):
    label, p_ah = columns(videos)
    (found,) = average_precision(label, p_ah, once(label))
    if label.any():
        assert found == pytest.approx(sklearn_metrics.average_precision_score(label, p_ah))
    else:
        assert np.isnan(found)


@few
@given(VIDEOS, st.randoms(use_true_random=False))
def test_a_video_drawn_twice_counts_as_two(videos, random):
    label, p_ah = columns(videos)
    times = np.array([random.randrange(4) for _ in videos])
    for measure in (average_precision, average_precision_1000, auroc):
        (weighted,) = measure(label, p_ah, times[None].astype(float))
        again, scores = np.repeat(label, times), np.repeat(p_ah, times)
        if again.any() and not (measure is auroc and again.all()):
            assert weighted == pytest.approx(measure(again, scores, once(again))[0])
        else:
            assert np.isnan(weighted)


@few
@given(VIDEOS)
def test_average_precision_1000_as_a_plain_sweep(videos):
    label, p_ah = columns(videos)
    (found,) = average_precision_1000(label, p_ah, once(label))
    if not label.any():
        assert np.isnan(found)
        return
    swept = [(p_ah >= threshold) for threshold in THRESHOLDS]
    precision = [label[yes].mean() if yes.any() else 0.0 for yes in swept]
    recall = [(label & yes).sum() / label.sum() for yes in swept]
    assert found == pytest.approx(sklearn_metrics.auc(recall, precision))


def test_average_precision_by_hand():
    label, p_ah = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(label, p_ah, once(label)) == pytest.approx([(1 + 2 / 3) / 2])
    # recall falls from 1 to 1/2 at precision 2/3 → 1/2, then to 0 at 1 → 0
    by_trapezoids = (2 / 3 + 1 / 2) / 2 / 2 + (1 + 0) / 2 / 2
    assert average_precision_1000(label, p_ah, once(label)) == pytest.approx([by_trapezoids])
    assert len(THRESHOLDS) == 1000


def test_an_area_of_nothing_is_no_negative_number():
    label, p_ah = np.array([True, False]), np.array([0.9999, 0.9999])
    (found,) = average_precision_1000(label, p_ah, once(label))
    assert found == 0 and not np.signbit(found)
