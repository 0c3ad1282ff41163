"""The table of nodes in docs/cluster.md is what the model prints, and the model adds up."""

from pathlib import Path

import pytest
from cost_model import Constants, estimate
from node_model import CLIP_BYTES, estimate_node, format_table

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"


def test_the_page_has_the_table():
    assert format_table() in PAGE.read_text(encoding="utf-8")


def test_a_node_needs_the_cores_that_a_cohort_needs():
    for gpus in (1, 8):
        assert estimate_node(gpus).cores == estimate(1000.0, gpus).cores


def test_twice_the_rate_needs_twice_of_what_flows():
    slow, fast = (estimate_node(4, Constants(clips_per_gpu_s=rate)) for rate in (22.0, 44.0))
    for name in ("clips_per_s", "recordings_gb_s", "frames_gb_s", "copied_gb_s"):
        assert getattr(fast, name) == pytest.approx(2 * getattr(slow, name))
    assert fast.frames_gb_s == pytest.approx(4 * 44 * CLIP_BYTES / 1e9)
    assert slow.held_gb < fast.held_gb and slow.cached_gb == fast.cached_gb
