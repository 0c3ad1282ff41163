"""A dozen of the recordings with known truth through the whole job: what their rows say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from outputs import clips, verdicts
from recording_cases import FOLDER, Case, load_cases

import ah_ray

pytestmark = pytest.mark.slow

NAMES = [
    "colour_mp4_709_tv_tagged.mp4",
    "fmp4_two_joined.mp4",
    "mkv_interleaved_1s.mkv",
    "mkv_opus_family255_9ch.mkv",
    "mkv_screen_first_camera_default.mkv",
    "mkv_video_30s_then_sound_30s.mkv",
    "mov_apac_first_voice_second.mov",
    "mov_iphone_apac_second.mov",
    "mp4_anamorphic_pal_16_9.mp4",
    "mp4_camera_off_at_10s_sound_to_40s.mp4",
    "mp4_last_picture_lasts_60s_edit_list_12s.mp4",
    "mp4_only_sound_is_ac4.mp4",
    "ts_joined_clock_goes_back_4s.ts",
    "ts_sound_gap_5s_then_stereo.ts",
    "webm_one_picture_20s_ahead.webm",
    "webrtc_size_change_at_7.2s.webm",
]


@pytest.fixture(scope="module")
def out(ray_session, tmp_path_factory) -> Path:
    """The recordings, scored once by the tiny model."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "videos").mkdir()
    for name in NAMES:
        shutil.copy(FOLDER / name, folder / "videos" / name)
    videos, scores = str(folder / "videos"), str(folder / "scores")
    ah_ray.score(videos=videos, out=scores, model="tiny", max_failed=1.0)
    return folder / "scores"


@pytest.fixture(scope="module")
def rows(out) -> dict[str, dict]:
    """The row of each recording, by its file's name."""
    return {Path(row["uri"]).name: row for row in verdicts(out).values()}


@pytest.mark.parametrize("name", NAMES)
def test_the_row_is_that_of_the_recording(rows, name):
    row, case = rows[name], load_cases()[name]
    failed = case.may_fail and row["status"] == "partial" and row["error_kind"] == "decode"
    assert row["status"] == "ok" or failed, row["error"]
    if not failed:
        assert row["duration_s"] == pytest.approx(case.duration_s, abs=case.duration_tolerance_s)
        assert row["n_clips"] == n_clips(case)
    assert (row["width_px"], row["height_px"]) == tuple(case.size_px)
    assert row["sound_is_silent"] is case.sound_is_silent
    low, high = case.unscored_sound_s
    assert low <= row["unscored_sound_s"] <= high


def n_clips(case: Case) -> int:
    """Windows of 5 s; a tail under 3 s is dropped, but where it is all."""
    full, tail_s = divmod(case.duration_s + 0.01, 5.0)
    return max(1, int(full) + (tail_s >= 3.0))


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("mkv_video_30s_then_sound_30s.mkv", "mkv_interleaved_1s.mkv"),
        ("mov_apac_first_voice_second.mov", "mov_iphone_apac_second.mov"),
    ],
)
def test_what_a_file_looks_like_inside_does_not_change_a_score(out, rows, name, same):
    scores = {
        which: [clip["p_ah"] for clip in clips(out) if clip["video_id"] == rows[which]["video_id"]]
        for which in (name, same)
    }
    assert scores[name] == pytest.approx(scores[same], abs=1e-4)
