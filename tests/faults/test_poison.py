"""Videos that kill the process which works on them get a row, and cost no other video its own."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from outputs import clips, verdicts
from ray import cloudpickle

from ah_ray.cohort import video_id_of
from ah_ray.errors import ErrorKind, Interrupted, StorageError
from ah_ray.exit_status import ExitStatus
from ah_ray.pipeline import graph
from ah_ray.pipeline.actors import blocks
from ah_ray.pipeline.actors.decoder import Decoder
from ah_ray.pipeline.actors.replica import Replica
from ah_ray.records import Clip

pytestmark = pytest.mark.heavy

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test
DEADLY = "visit-01 answer 2.mp4"


class DeadlyDecoder(Decoder):
    """Dies of one of the videos, as of a bug in a parser."""

    def _frames(self, video):
        if video.uri.endswith(DEADLY):
            os.kill(os.getpid(), signal.SIGKILL)
        return (yield from super()._frames(video))


class DeadlyReplica(Replica):
    """Dies of the clips of one of the videos, as of a bug in a kernel."""

    def __call__(self, frames):
        if video_id_of(DEADLY) in frames["video_id"].to_pylist():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(frames)


class KilledDecoder(Decoder):
    """Whose ffmpeg is killed in the middle of one of the videos: once, or each time."""

    times = 1_000
    marks = ""

    def _frames(self, video):
        if video.uri.endswith(DEADLY) and len(list(Path(self.marks).iterdir())) < self.times:
            tempfile.mkstemp(dir=self.marks)
            yield blocks.clip_frames(video, Clip(clip_index=0, start_s=0, end_s=5, frames=None,
                samples=None, error_kind=ErrorKind.DECODE, error="half of it"))  # fmt: skip
            raise Interrupted("ffmpeg was ended from outside, by signal 9")
        return (yield from super()._frames(video))


class FaultyStorage(Decoder):
    """Never gets one of the videos, as from a bucket that is away."""

    def _frames(self, video):
        if video.uri.endswith(DEADLY):
            raise StorageError("503 SlowDown, after 5 tries")
        return (yield from super()._frames(video))


@pytest.mark.parametrize(
    ("stage", "deadly"),
    [
        pytest.param("Decoder", DeadlyDecoder, marks=pytest.mark.long),
        ("Replica", DeadlyReplica),
    ],
)
def test_what_kills_its_process_gets_a_crash_row(
    stage, deadly, scored, small_cohort, tmp_path, monkeypatch
):
    monkeypatch.setattr(graph, stage, deadly)
    out = tmp_path / "out"
    outcome = scored(small_cohort, out, max_failed=1.0)
    rows = verdicts(out)
    row = rows.pop(video_id_of(DEADLY))
    assert (row["status"], row["error_kind"], row["n_clips"]) == ("failed", "crash", 0)
    assert sorted(row["status"] for row in rows.values()) == ["failed", "ok", "ok"]
    assert outcome.summary.exit_status == ExitStatus.COMPLETE

    monkeypatch.undo()  # the bug is fixed
    again = scored(small_cohort, out, max_failed=1.0)
    row = verdicts(out)[video_id_of(DEADLY)]
    assert (again.summary.videos_done, row["status"], row["attempts"]) == (1, "ok", 2)
    assert len(clips(out)) == sum(row["n_clips"] for row in verdicts(out).values())


@pytest.mark.parametrize(
    ("times", "status"), [(1, "ok"), pytest.param(1_000, "failed", marks=pytest.mark.long)]
)
def test_a_killed_ffmpeg_is_tried_again(times, status, scored, small_cohort, tmp_path, monkeypatch):
    (tmp_path / "marks").mkdir()
    monkeypatch.setattr(KilledDecoder, "times", times)
    monkeypatch.setattr(KilledDecoder, "marks", str(tmp_path / "marks"))
    monkeypatch.setattr(graph, "Decoder", KilledDecoder)
    scored(small_cohort, tmp_path / "out", max_failed=1.0)
    row = verdicts(tmp_path / "out")[video_id_of(DEADLY)]
    assert row["status"] == status
    assert row["error_kind"] == (None if status == "ok" else "crash")
    assert len(verdicts(tmp_path / "out")) == 4


@pytest.mark.long
def test_what_storage_keeps_back_is_missing_not_failed(scored, small_cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "Decoder", FaultyStorage)
    out = tmp_path / "out"
    outcome = scored(small_cohort, out, max_failed=1.0)
    assert outcome.summary.exit_status == ExitStatus.MISSING_ROWS
    assert outcome.missing == {video_id_of(DEADLY): "503 SlowDown, after 5 tries"}
    assert len(verdicts(out)) == 3
