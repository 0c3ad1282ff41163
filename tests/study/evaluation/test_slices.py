import numpy as np
import pytest

from ah_ray.study.evaluation.figures.slices import (
    MIN_PARTICIPANTS,
    age_band,
    length_band,
    measure_slices,
)
from ah_ray.study.evaluation.predictions import Predictions, measure


@pytest.mark.parametrize(
    ("age", "band"),
    [(0, "under 18"), (17, "under 18"), (18, "18–24"), (24, "18–24"), (25, "25–34"),
     (64, "55–64"), (65, "65 and over"), (130, "65 and over"), (None, "unknown")],
)  # fmt: skip
def test_age_bands(age, band):
    assert age_band(age) == band


@pytest.mark.parametrize(
    ("duration_s", "band"),
    [(3, "under 15 s"), (14.99, "under 15 s"), (15, "15–30 s"), (30, "30–60 s"),
     (59.99, "30–60 s"), (60, "60 s and over"), (None, "unknown")],
)  # fmt: skip
def test_length_bands(duration_s, band):
    assert length_band(duration_s) == band


def test_each_group_is_measured_by_itself_and_small_ones_are_not():
    n = 3 * MIN_PARTICIPANTS
    random = np.random.default_rng(0)
    p_ah = random.random(n)
    predictions = Predictions.of(random.random(n) < 0.5, p_ah, p_ah > 0.5, np.arange(n))
    gender = ["woman"] * (2 * MIN_PARTICIPANTS) + ["man"] * (MIN_PARTICIPANTS - 1) + [None]
    videos = [
        {"age": 70 - i, "gender": name, "ethnicity": None, "language": "fr", "duration_s": 20.0}
        for i, name in enumerate(gender)
    ]
    found = {(each.by, each.group): each for each in measure_slices(predictions, videos)}
    women = predictions.only(np.array(gender) == "woman")
    assert found["gender", "woman"].measures == measure(women)
    men = found["gender", "man"]
    assert (men.n_videos, men.n_participants, men.n_ah, men.measures) == (9, 9, None, None)
    assert [group for by, group in found if by == "gender"] == ["man", "woman", "unknown"]
    assert [group for by, group in found if by == "age"] == [
        "35–44",
        "45–54",
        "55–64",
        "65 and over",
    ]
    assert found["language", "fr"].measures == measure(predictions)
    for by in ("age", "gender", "ethnicity", "language", "length"):
        assert sum(each.n_videos for (of, _), each in found.items() if of == by) == n


def test_a_group_is_of_participants_not_of_videos():
    n = 5 * MIN_PARTICIPANTS
    predictions = Predictions.of(
        [True] * n, [0.5] * n, [True] * n, np.arange(n) % (MIN_PARTICIPANTS - 1)
    )
    video = {"age": 30, "gender": "x", "ethnicity": "y", "language": "z", "duration_s": 9.0}
    assert all(each.measures is None for each in measure_slices(predictions, [video] * n))


def people(n, gender, label, p_ah):
    """n participants with three videos each, as predictions and rows."""
    video = {"age": 30, "ethnicity": "y", "language": "z", "duration_s": 9.0, "gender": gender}
    return [(label[i % len(label)], p_ah[i % len(p_ah)], i // 3, video) for i in range(3 * n)]


def slices_of(*groups):
    rows = [
        (label, p_ah, 1000 * number + whose, video)
        for number, group in enumerate(groups)
        for label, p_ah, whose, video in group
    ]
    label, p_ah, whose, videos = zip(*rows, strict=True)
    predictions = Predictions.of(label, p_ah, np.array(p_ah) >= 0.5, whose)
    return {(each.by, each.group): each for each in measure_slices(predictions, videos)}


def test_a_group_of_one_class_does_not_look_like_failure():
    """Nobody in it is A/H, and one answer is wrong: recall and F1 are not defined, never 0."""
    found = slices_of(
        people(15, "man", [0], [0.1, 0.2, 0.3, 0.9]), people(15, "woman", [0, 1], [0.2, 0.8])
    )["gender", "man"]
    assert (found.n_ah, found.n_not_ah) == (0, 45)
    for name in ("recall_ah", "f1_ah", "macro_f1", "balanced_accuracy", "auroc"):
        assert getattr(found.measures, name).value is None, name
    specificity = found.measures.specificity
    assert (specificity.k, specificity.n, specificity.n_participants) == (34, 45, 15)
    assert found.measures.precision_ah.value == 0  # defined: all eleven Yes are wrong
    assert found.from_the_rest.recall_ah.value is None
    assert found.from_the_rest.specificity.low is not None


def test_rates_do_not_depend_on_the_share_of_ah_and_macro_f1_does():
    """The model treats both alike; only one in five of a group is A/H, and four of the other."""
    random = np.random.default_rng(0)

    def group(gender, share):
        label = (random.random(450) < share).astype(int)
        right = random.random(450) < np.where(label == 1, 0.8, 0.7)
        return people(150, gender, label.tolist(), np.where(right == label, 0.8, 0.2).tolist())

    found = slices_of(group("man", 0.1), group("woman", 0.5))["gender", "man"]
    rest = found.from_the_rest
    assert rest.recall_ah.low < 0 < rest.recall_ah.high
    assert rest.specificity.low < 0 < rest.specificity.high
    assert rest.precision_ah.high < 0, "the predictive value differs with the share of A/H"
    assert rest.rate_of_yes.high < 0


def test_the_difference_from_the_rest_and_calibration_in_the_large():
    found = slices_of(
        people(20, "man", [0, 1], [0.6, 0.6]), people(20, "woman", [0, 1], [0.1, 0.9])
    )
    man, woman = found["gender", "man"], found["gender", "woman"]
    assert man.in_the_large.value == pytest.approx(0.1) and abs(woman.in_the_large.value) < 1e-9
    assert man.from_the_rest.specificity.value == -1
    assert man.from_the_rest.in_the_large.value == pytest.approx(0.1)
    assert woman.from_the_rest.specificity.value == 1
    assert found["age", "25–34"].from_the_rest is None  # there is no rest


def test_a_further_column_forms_groups():
    n = 2 * MIN_PARTICIPANTS
    predictions = Predictions.of([1, 0] * MIN_PARTICIPANTS, [0.6] * n, [True] * n, np.arange(n))
    video = {"age": 30, "gender": "x", "ethnicity": "y", "language": "z", "duration_s": 9.0}
    sites = ["10"] * MIN_PARTICIPANTS + ["2"] * (MIN_PARTICIPANTS - 1) + [None]
    found = measure_slices(predictions, [video] * n, more={"site": sites})
    groups = [(each.group, each.measures is None) for each in found if each.by == "site"]
    assert groups == [("2", True), ("10", False), ("unknown", True)]
