"""The filter that lets only picks through: its expression, evaluated by ffmpeg itself."""

import subprocess

import numpy as np
import pytest

from ah_ray.config import Windows
from ah_ray.media.ffmpeg import ffmpeg_path
from ah_ray.media.select import expected_picks, picks_at_once, select_expression
from ah_ray.media.windows import plan
from ah_ray.profile import load_profile

PROFILE = load_profile("tiny")


def selected(expression: str, n_frames: int, script: str) -> list[int]:
    """The frames that pass, of a stream with the times that `script` (setpts) gives."""
    command = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i"]
    command += [f"color=s=16x16:r=25:d={n_frames / 25}", "-/vf", "pipe:0"]
    command += ["-fps_mode", "passthrough", "-enc_time_base", "1:1000"]
    command += ["-c:v", "wrapped_avframe", "-f", "framecrc", "pipe:1"]
    text = f"settb=1/1000,setpts='{script}',select='{expression}'"
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    rows = [line for line in done.stdout.decode().splitlines() if line.startswith("0,")]
    return [int(row.split(",")[2]) for row in rows]


@pytest.mark.parametrize("n_frames", [3, 130, 2000])
def test_exactly_the_expected_picks_pass_at_a_constant_rate(n_frames):
    times_s = np.arange(n_frames) / 25
    picked_s = expected_picks(times_s, plan(n_frames / 25, Windows()), PROFILE)
    passed_ms = selected(select_expression(times_s, picked_s), n_frames, "N*40")
    assert passed_ms == np.round(picked_s * 1000).astype(int).tolist()


def test_a_clock_that_starts_late_makes_no_difference():
    times_s = np.arange(250) / 25
    picked_s = expected_picks(times_s, plan(10.0, Windows()), PROFILE)
    passed_ms = selected(select_expression(times_s, picked_s), 250, "5000+N*40")
    assert [time - 5000 for time in passed_ms] == np.round(picked_s * 1000).astype(int).tolist()


def test_a_pick_that_is_not_there_passes_the_next_frame():
    times_s = np.arange(250) / 25
    picked_s = expected_picks(times_s, plan(10.0, Windows()), PROFILE)
    passed_ms = selected(select_expression(times_s, picked_s), 250, "N*40+7")
    assert len(passed_ms) == len(picked_s)
    late_ms = np.array(passed_ms) - passed_ms[0] - picked_s * 1000
    assert (np.abs(late_ms) <= 40).all()


def test_how_many_picks_may_wait_at_one_time():
    picked_s = np.array([0.0, 1.0, 2.0, 10.0, 10.5, 11.0, 11.5, 30.0])
    assert picks_at_once(picked_s, 1.5) == 4
    assert picks_at_once(picked_s, 0.1) == 1
    assert picks_at_once(picked_s, 100.0) == 8
    assert picks_at_once(np.empty(0), 5.0) == 0


def test_without_expectations_all_pass():
    assert select_expression(np.empty(0), np.empty(0)) == "1"


def test_a_filter_for_six_hours_is_small_and_no_deeper_than_ffmpeg_allows():
    times_s = np.arange(6 * 3600 * 25) / 25
    picked_s = expected_picks(times_s, plan(6 * 3600.0, Windows()), PROFILE)
    expression = select_expression(times_s, picked_s)
    assert len(expression) < 1_500_000
    assert len(selected(expression, 250, "N*40")) == 20
