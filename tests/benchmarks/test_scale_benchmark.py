"""What a cohort's size costs beside its work, and the arithmetic of time and money."""

from __future__ import annotations

import subprocess
import sys

import pytest
import scale
from cost_model import Constants, estimate, gpus_for
from hypothesis import given
from hypothesis import strategies as st
from outputs import ROOT


@pytest.mark.parametrize("n_videos", [5_000, pytest.param(100_000, marks=pytest.mark.heavy)])
def test_a_run_with_nothing_pending(n_videos):
    found = scale.run_part("idle", n_videos)["a run with nothing pending"]
    assert found["cpu_s"] < 15, found
    assert found["peak_mb"] < 1_000, found


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_million():
    planning = scale.run_part("plan", 1_000_000)["planning"]
    assert planning["cpu_s"] < 120 and planning["peak_mb"] < 1_000, planning


@pytest.mark.heavy
@pytest.mark.long
def test_the_tables_of_hundreds_of_thousands():
    """Those of a million are in benchmarks/README.md."""
    tables = scale.run_part("tables", 200_000)
    assert tables["writing both tables"]["cpu_s"] < 24, tables
    assert tables["writing both tables"]["peak_mb"] < 1_000, tables
    assert tables["reading verdicts"]["cpu_s"] < 6, tables
    first = scale.run_part("first", 50_000)["tables of a first night"]
    assert first["cpu_s"] < 10, first


@pytest.mark.heavy
@pytest.mark.long
def test_reducers_keep_up():
    found = scale.run_part("reduce", 1_500)["reducing"]
    assert found["clips_per_s"] > 500, found  # 2,000 and more on two cores of their own


def test_costs_by_hand():
    c = Constants(
        clips_per_gpu_s=10, decode_cpu_s_per_min=6.0, distribution=1.0, video_s=10, fixed_s=0,
        plan_s_per_million=0, new_row_ms=0, gpu_hour=3.0, core_hour=0.1, mb_per_min=10,
        gb_month=0.02,
    )  # fmt: skip
    found = estimate(hours=100, gpus=2, constants=c)
    assert (found.videos, found.clips, found.cores) == (36_000, 72_000, 10)
    assert found.wall_h == pytest.approx(1.0)
    assert (found.gpu_h, found.core_h) == pytest.approx((2.0, 10.0))
    assert found.dollars == pytest.approx(7.0)
    assert found.storage_dollars_month == pytest.approx(1.2)  # 60 GB


@given(st.floats(1, 1e7), st.integers(1, 5_000))
def test_more_machines_are_never_slower_nor_more_than_their_start_dearer(hours, gpus):
    one, more = estimate(hours, gpus), estimate(hours, gpus + 1)
    assert more.wall_h <= one.wall_h
    start = Constants().fixed_s / 3600 * (Constants().gpu_hour + 20 * Constants().core_hour)
    assert more.dollars <= one.dollars + start + 1 * Constants().core_hour * one.wall_h


@given(st.floats(1, 1e7), st.integers(1, 5_000), st.floats(0.05, 20))
def test_with_few_cores_gpus_wait(hours, gpus, share):
    """Of the cores that feed them: beyond all of them, no more help."""
    fed = estimate(hours, gpus)
    found = estimate(hours, gpus, cores=max(1, int(share * fed.cores)))
    work_h = fed.wall_h - (Constants().fixed_s + 60 * (fed.plan_min + fed.tables_min)) / 3600
    expected = fed.wall_h + work_h * max(0.0, fed.cores / found.cores - 1)
    assert found.wall_h == pytest.approx(expected, rel=1 / fed.cores)


@given(st.floats(1, 1e6), st.floats(4, 48))
def test_the_fewest_gpus_that_do_it(hours, within_h):
    gpus = gpus_for(hours, within_h)
    if gpus:
        assert estimate(hours, gpus).wall_h <= within_h
        assert gpus == 1 or estimate(hours, gpus - 1).wall_h > within_h


def test_the_command_prints_the_table():
    command = [sys.executable, ROOT / "benchmarks" / "scale.py", "--model", "--gpu-hour", "2.5"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2.5 a GPU hour" in ran.stdout
    rows = [line for line in ran.stdout.splitlines() if line.startswith("| 1")]
    assert [row.split("|")[1].strip() for row in rows] == [
        "10,000", "100,000", "1,000,000", "10,000,000",
    ]  # fmt: skip
