"""How an output stands, told from storage: idle, at work, left behind by a dead run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from invented_rows import make_output

from ah_ray import storage
from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.exit_status import ExitStatus
from ah_ray.output.counts import Counts
from ah_ray.output.lease import Lease, lease_uri
from ah_ray.output.lease_holder import describe_this_process, encode_holder
from ah_ray.output.runs import RunSummary, TableCounts, new_run_id, write_summary
from ah_ray.results.status import read_status
from ah_ray.results.status_view import status_lines

BEGAN = datetime(2026, 1, 2, 22, 0, tzinfo=UTC)
PROGRESS = {
    "stage": "scoring", "videos_total": 400, "videos_done": 120, "videos_failed": 3, "clips": 1200,
    "clips_per_s": 40.0, "video_h_per_h": 55.0, "decoders_busy": 0.9, "replicas": 2,
    "replicas_busy": 0.87, "eta_s": 700.0,
}  # fmt: skip


@pytest.fixture(params=["local", "s3"])
def out(request, tmp_path) -> str:
    """An output whose last run ended half an hour after it began."""
    place = f"s3://{request.getfixturevalue('bucket')}/out" if request.param == "s3" else tmp_path
    make_output(str(place), {"a": [0.9], "b": ErrorKind.DECODE})
    counts = Counts(n_videos=2, n_rows=2)
    counts.by_status.update(ok=1, failed=1)
    counts.failed_by_kind.update(decode=1)
    for night in range(7):
        began = BEGAN + timedelta(days=night)
        summary = RunSummary(
            run_id=new_run_id(began),
            started_at=began,
            ended_at=began + timedelta(minutes=30),
            exit_status=ExitStatus.COMPLETE,
            counts=TableCounts.of(counts),
            changes={"new": night, "changed": 0, "removed": 1, "failed": 1},
            clips_scored=3600,
            gpu_hours=0.5,
            cost_per_hour=4.0,
        )
        write_summary(str(place), summary)
    return str(place)


def test_nobody_works_on_it(out):
    status = read_status(out)
    assert not status.is_running and status.holder is None
    lines = list(status_lines(status))
    assert "Scored by model model-a, profile tiny; any, threshold 0.5" in lines
    assert "Cohort    2 videos: 1 ok, 0 partial, 1 failed (as of 2026-01-08 22:30 UTC)" in lines
    assert "          1 decode – upload the recording again: parts of it are damaged" in lines
    assert "Running   nothing" in lines
    runs = lines[lines.index("Last runs ended (UTC)") + 1 :]
    assert len(runs) == 5
    assert runs[0].strip() == (
        "2026-01-08 22:30 score: exit 0, took 30:00, 3,600 clips at 2.0/s, 6 new, 1 removed, "
        "1 failed, 0.50 GPU h, cost 2.00"
    )


def test_a_run_that_goes_on(out):
    with Lease.acquire(out, "run-1", stale_s=2) as lease:
        lease.report = lambda: PROGRESS
        while not (read_status(out).holder or lease.holder).progress:
            assert not lease.lost.wait(0.05)
        status = read_status(out)
        assert status.is_running
        text = "\n".join(status_lines(status))
        assert "Running   run run-1 (process" in text
        assert "scoring: 120 of 400 videos (3 failed), 1,200 clips, 40.0/s, 55.0 h" in text
        assert "decoders 90% busy, 2 replicas 87%; ETA 11:" in text
    assert read_status(out).holder is None


def test_a_run_that_was_killed(out):
    dead = replace(describe_this_process("run-1", stale_s=0.5), host="another", progress=PROGRESS)
    storage.write_whole(lease_uri(out), encode_holder(dead))
    status = read_status(out)
    while status.is_running:
        status = read_status(out)
    assert status.silent_s >= 0.5
    assert "ended without giving up its lease" in "\n".join(status_lines(status))


def test_machines_read_the_same(out):
    fields = read_status(out).as_fields()
    assert (fields["running"], fields["holder"]) == (False, None)
    assert fields["runs"][0]["rates"]["clips_per_s"] == 2.0


def test_a_first_run_that_goes_on(tmp_path):
    with Lease.acquire(str(tmp_path), "run-1"):
        assert "Cohort    no run has ended yet" in list(status_lines(read_status(str(tmp_path))))


def test_no_output(tmp_path):
    with pytest.raises(ConfigError, match="is no output of ah_ray"):
        read_status(str(tmp_path / "nowhere"))
