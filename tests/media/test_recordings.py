"""53 small recordings with properties that real ones have: what a clip shows is what it should.

`recordings/cases.yaml` says what is right for each. `judge_recordings.py` prints the same by hand.
"""

from __future__ import annotations

import pytest
from recording_cases import FOLDER, Case, judge, load_cases

from ah_ray.config import Windows
from ah_ray.media.windows import Given

CASES = load_cases()
CHANGES_IN_MID_STREAM = [
    "ts_colour_tags_change.ts",
    "webm_phone_turned_circle.webm",
    "webrtc_size_change_at_7.2s.webm",
]
ODD_CLOCKS = [
    *CHANGES_IN_MID_STREAM,
    "mp4_edit_empty_in_middle.mp4",
    "mp4_edit_video_delayed_3s.mp4",
    "sync_avi_mp3.avi",
    "ts_gap_8s.ts",
    "ts_joined_clock_goes_back_4s.ts",
    "ts_sound_gap_5s_then_stereo.ts",
    "webm_two_sessions_joined.webm",
]
"""Where windows that are given could be miscounted more easily than elsewhere."""


def test_every_recording_has_a_case():
    found = {path.name for path in FOLDER.iterdir()} - {"README.md", "cases.yaml"}
    assert found == set(CASES)
    assert len(found) == 53


@pytest.mark.parametrize("name", CASES)
def test_a_clip_holds_the_picture_and_the_sound_of_its_interval(name):
    assert str(judge(CASES[name])) == "right"


@pytest.mark.parametrize("name", ODD_CLOCKS)
def test_so_does_a_window_that_is_given(name):
    """As training gives them: what lies between is skipped, not miscounted."""
    check_given(CASES[name])


@pytest.mark.heavy
@pytest.mark.parametrize("name", [name for name in CASES if name not in ODD_CLOCKS])
def test_so_do_windows_that_are_given_in_the_rest(name):
    check_given(CASES[name])


def check_given(case: Case) -> None:
    starts = [10.0 * n for n in range(int(case.duration_s // 10) + 1)]
    spans = [(start + shift, start + shift + 4.0) for start in starts for shift in (0.0, 2.6)]
    assert str(judge(case, windows=Given.of(spans))) == "right"


@pytest.mark.parametrize("name", CHANGES_IN_MID_STREAM)
@pytest.mark.parametrize("hop_s", [10.0, 12.5, pytest.param(2.5, marks=pytest.mark.heavy)])
def test_so_do_windows_apart_from_each_other_where_the_format_changes(name, hop_s):
    assert str(judge(CASES[name], windows=Windows(hop_s=hop_s))) == "right"
