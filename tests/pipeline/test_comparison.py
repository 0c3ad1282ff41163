"""A run with cheaper arithmetic says what that does to its scores."""

from __future__ import annotations

import pytest
from outputs import clips

from ah_ray.config import Arithmetic
from ah_ray.output.runs import read_summary, run_ids
from ah_ray.pipeline import resolve
from ah_ray.pipeline.reporting.summary_view import _lines

pytestmark = pytest.mark.heavy


@pytest.fixture
def fp8_on_a_cpu(monkeypatch):
    """Its numbers, multiplied in float32; users are refused it, for it is slow."""
    monkeypatch.setattr(resolve, "_arithmetic", lambda _settings, **_: Arithmetic.FP8)


def test_fp8_is_compared_with_bf16_once(scored, small_cohort, tmp_path, fp8_on_a_cpu):
    out = str(tmp_path / "out")
    first = scored(small_cohort, out, limit=3, max_failed=1.0).summary
    found = first.difference_from_bf16
    n_scored = sum(clip["p_ah"] is not None for clip in clips(out))
    assert found.n_clips == n_scored > 0
    assert 0 < found.mean <= found.p99 <= found.max < 0.5
    assert any("beside bf16, p_ah differs by" in line for line in _lines(out, first))

    second = scored(small_cohort, out, max_failed=1.0).summary
    assert second.difference_from_bf16 == found, "later runs show what the first one found"
    assert read_summary(out, run_ids(out)[-1]).difference_from_bf16 == found


def test_other_arithmetic_has_nothing_to_compare(scored, small_cohort, tmp_path):
    summary = scored(small_cohort, tmp_path / "out", limit=1, max_failed=1.0).summary
    assert summary.difference_from_bf16 is None
