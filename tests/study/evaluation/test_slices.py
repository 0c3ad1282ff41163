import numpy as np
import pytest

from ah_ray.study.evaluation.bootstrap import MIN_PARTICIPANTS, Bootstrap
from ah_ray.study.evaluation.judged import Judged, measured
from ah_ray.study.evaluation.slices import age_band, length_band, slices

FEW = Bootstrap(draws=100)


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
    judged = Judged.of(random.random(n) < 0.5, p_ah, p_ah > 0.5, np.arange(n))
    gender = ["woman"] * (2 * MIN_PARTICIPANTS) + ["man"] * (MIN_PARTICIPANTS - 1) + [None]
    videos = [
        {"age": 70 - i, "gender": name, "ethnicity": None, "language": "fr", "duration_s": 20.0}
        for i, name in enumerate(gender)
    ]
    found = {(each.by, each.group): each for each in slices(judged, videos, FEW)}
    women = judged.only(np.array(gender) == "woman")
    assert found["gender", "woman"].measures == measured(women, FEW)
    men = found["gender", "man"]
    assert (men.n_videos, men.n_participants, men.n_ah, men.measures) == (9, 9, None, None)
    assert [group for by, group in found if by == "gender"] == ["man", "woman", "unknown"]
    assert [group for by, group in found if by == "age"] == [
        "35–44",
        "45–54",
        "55–64",
        "65 and over",
    ]
    assert found["language", "fr"].measures == measured(judged, FEW)
    for by in ("age", "gender", "ethnicity", "language", "length"):
        assert sum(each.n_videos for (of, _), each in found.items() if of == by) == n


def test_a_group_is_of_participants_not_of_videos():
    n = 5 * MIN_PARTICIPANTS
    judged = Judged.of([True] * n, [0.5] * n, [True] * n, np.arange(n) % (MIN_PARTICIPANTS - 1))
    video = {"age": 30, "gender": "x", "ethnicity": "y", "language": "z", "duration_s": 9.0}
    assert all(each.measures is None for each in slices(judged, [video] * n, FEW))
