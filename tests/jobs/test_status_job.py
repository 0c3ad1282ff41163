"""jobs/status.py as an operator meets it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from in_process import run_here
from invented_rows import make_output
from outputs import verdicts

from ah_ray.errors import ErrorKind
from ah_ray.output.counts import Counts
from ah_ray.output.runs import RunSummary, TableCounts, new_run_id, write_summary

status = partial(run_here, "status")


@pytest.fixture
def out(tmp_path):
    """Two videos, and the run that scored them."""
    out = tmp_path / "out"
    make_output(str(out), {"a": [0.9], "b": ErrorKind.DECODE})
    counts = Counts(n_videos=2, n_rows=2)
    counts.by_status.update(ok=1, failed=1)
    began = datetime(2026, 1, 2, 22, 0, tzinfo=UTC)
    summary = RunSummary(
        run_id=new_run_id(began),
        started_at=began,
        ended_at=began + timedelta(minutes=30),
        exit_status=0,
        counts=TableCounts.of(counts),
    )
    write_summary(str(out), summary)
    return out


def test_people_and_machines_are_shown(out):
    told = status(out)
    assert told.returncode == 0, told.stderr
    assert "Cohort    2 videos: 1 ok, 0 partial, 1 failed" in told.stdout
    assert "Running   nothing" in told.stdout
    fields = json.loads(status(out, "--json").stdout)
    assert fields["running"] is False
    assert fields["runs"][0]["counts"]["by_status"] == {"ok": 1, "failed": 1}


def test_a_terminal_obeys_no_name(tmp_path):
    out = tmp_path / "we\x1b[31mird [b]\n"
    make_output(str(out), {"a": [0.9]})
    told = status(out).stdout
    assert "\x1b" not in told and f"Output    {tmp_path}/we\\x1b[31mird [b]\\n\n" in told


def test_withdrawn_videos_are_removed(out, tmp_path):
    (tmp_path / "withdrawn.csv").write_text("uri,video_id\nx.mp4,a\n")
    told = status(out, "--purge", tmp_path / "withdrawn.csv")
    assert told.returncode == 0, told.stderr
    assert verdicts(out).keys() == {"b"}
    assert not list((out / "videos").glob("a-*"))


def test_what_is_no_output_is_one_line(tmp_path):
    told = status(tmp_path / "nothing")
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("error: ") and told.stderr.count("\n") == 1
