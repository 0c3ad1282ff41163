import pytest

from ah_ray.verdicts.difference import measure_difference


def test_what_is_said_of_two_scorings():
    ours = [0.4] * 990 + [0.6] * 9 + [0.9, None]
    theirs = [0.4] * 990 + [0.4] * 9 + [0.2, 0.5]
    found = measure_difference(ours, theirs)
    assert found.n_clips == 1000
    assert found.mean == pytest.approx((9 * 0.2 + 0.7) / 1000)
    assert found.p99 == pytest.approx(0.002, abs=1e-3)
    assert found.max == pytest.approx(0.7)
    assert found.answers_changed == pytest.approx(0.01)
    assert "0.7000 at most (1000 clips; 1.0% of answers changed)" in str(found)


def test_few_are_said_to_be_few():
    assert "499 clips, under 500: too few" in str(measure_difference([0.5] * 499, [0.5] * 499))
    assert "too few" not in str(measure_difference([0.5] * 500, [0.5] * 500))
    assert measure_difference([None, 0.5], [0.5, None]) is None
