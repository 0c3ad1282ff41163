"""Records survive the way through Arrow, and pixels are not copied."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from invented_rows import why_profile, with_answers

from ah_ray.errors import ErrorKind
from ah_ray.pipeline.actors import blocks
from ah_ray.records import Clip, ClipScore, Video, VideoFacts

VIDEO = Video(
    video_id="ab12",
    uri="s3://bucket/a b#%'ü.mp4",
    etag="e",
    size_bytes=3,
    last_modified=datetime(2026, 11, 23, 1, 2, 3, 456, tzinfo=UTC),
    attempts=2,
    stale=("ab12-00000000.parquet",),
)
FACTS = VideoFacts(
    n_clips=2, duration_s=7.5, has_audio=True, error_kind=ErrorKind.DECODE, error="x"
)


def clip(index: int, **values) -> Clip:
    rng = np.random.default_rng(index)
    frames = rng.integers(0, 255, (4, 32, 64, 3), dtype=np.uint8)
    samples = rng.random(16_000, dtype=np.float32)
    defaults = {"start_s": 5.0 * index, "end_s": 5.0 * index + 5, "frames": frames}
    return Clip(**{"clip_index": index, "samples": samples, **defaults, **values})


def test_videos_survive_the_table():
    missing = Video(video_id="m", uri="u", etag=None, size_bytes=None, last_modified=None,
                    problem_kind=ErrorKind.MISSING, problem="gone")  # fmt: skip
    table = blocks.videos_table([VIDEO, missing])
    assert list(blocks.videos_of(table)) == [VIDEO, missing]


def test_a_mixed_stream_survives_both_tables():
    bad = clip(1, frames=None, samples=None, error_kind=ErrorKind.DECODE, error="cut short")
    frames = pa.concat_tables(
        [
            blocks.clip_frames(VIDEO, clip(0)),
            blocks.clip_frames(VIDEO, bad),
            blocks.video_frames(VIDEO, FACTS),
            blocks.lost_frames(VIDEO, "503"),
        ]
    )
    assert frames.schema == blocks.FRAMES
    first, second = blocks.clips_of(frames.combine_chunks())
    np.testing.assert_array_equal(first.frames, clip(0).frames)
    np.testing.assert_array_equal(first.samples, clip(0).samples)
    assert (second.frames, second.error_kind, second.error) == (None, "decode", "cut short")

    scores = [
        ClipScore(clip_index=0, start_s=0, end_s=5, p_ah=0.25, answer_mass=0.5, n_frames=4),
        ClipScore(clip_index=1, start_s=5, end_s=10, p_ah=None, error_kind=ErrorKind.DECODE),
    ]
    scores[0] = replace(with_answers(scores[0], why_profile()), embedding=b"\x00\x3c")
    assert scores[0].answers and scores[0].contrasts
    table = blocks.scores_table(frames, scores)
    assert table.schema == blocks.SCORES
    rows = table.to_pylist()
    assert [row["event"] for row in rows] == ["clip", "clip", "video", "lost"]
    assert [blocks.score_of(row) for row in rows[:2]] == scores
    assert blocks.video_of(rows[2]) == (VIDEO, FACTS)
    assert (rows[3]["video_id"], rows[3]["error"]) == ("ab12", "503")


def test_the_seconds_that_pictures_were_picked_from_survive():
    (whole,) = blocks.clips_of(blocks.clip_frames(VIDEO, clip(0, sampled_s=5.005)))
    (unknown,) = blocks.clips_of(blocks.clip_frames(VIDEO, clip(0)))
    assert (whole.picture_s, unknown.picture_s) == (5.005, 5.0)


def test_pixels_are_wrapped_not_copied():
    one = clip(0)
    (back,) = blocks.clips_of(blocks.clip_frames(VIDEO, one))
    assert np.shares_memory(back.frames, one.frames)
    assert np.shares_memory(back.samples, one.samples)
