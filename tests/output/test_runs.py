import json
from datetime import UTC, datetime, timedelta

import pytest

from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus
from ah_ray.output.counts import Counts
from ah_ray.output.runs import (
    RunSummary,
    TableCounts,
    new_run_id,
    read_summary,
    run_ids,
    write_summary,
)

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def summary(**fields):
    made = {
        "run_id": new_run_id(BEGIN),
        "started_at": BEGIN,
        "ended_at": BEGIN + timedelta(minutes=30),
        "exit_status": ExitStatus.COMPLETE,
        "counts": TableCounts.of(Counts(n_videos=3, n_rows=2, by_status={"ok": 2})),
        "ignored_endings": {".txt": 3},
        "clips_scored": 3600,
        "video_s": 18_000.0,
        "cost_per_hour": 4.0,
    }
    return RunSummary(**made | fields)


def test_run_ids_sort_by_time_and_differ():
    moments = [BEGIN + timedelta(seconds=s) for s in (0, 0.002, 1, 60, 86_400 * 40)]
    made = [new_run_id(moment) for moment in moments]
    assert made == sorted(made)
    assert made[0].startswith("20260102T030405.000Z-")
    assert len({new_run_id(BEGIN) for _ in range(100)}) == 100


@pytest.mark.parametrize("place", ["local", "s3"])
def test_written_and_read(tmp_path, bucket, place):
    out = str(tmp_path) if place == "local" else f"s3://{bucket}/out"
    assert run_ids(out) == []
    later = summary(run_id=new_run_id(BEGIN + timedelta(days=1)))
    for made in (later, summary()):
        assert write_summary(out, made) == f"{out}/runs/{made.run_id}.json"
    assert read_summary(out, later.run_id) == later
    assert run_ids(out)[1] == later.run_id


def test_rates_are_in_the_file(tmp_path):
    write_summary(str(tmp_path), summary(run_id="r"))
    found = json.loads((tmp_path / "runs" / "r.json").read_text())
    assert found["rates"] == {
        "wall_s": 1800.0,
        "clips_per_s": 2.0,
        "video_hours_per_hour": 10.0,
        "cost": 2.0,
    }
    assert found["exit_status"] == 0
    assert found["counts"]["missing"] == 1


def test_a_run_of_no_time_has_no_rate(tmp_path):
    write_summary(str(tmp_path), summary(run_id="r", ended_at=BEGIN, cost_per_hour=None))
    found = json.loads((tmp_path / "runs" / "r.json").read_text())["rates"]
    assert (found["clips_per_s"], found["cost"]) == (None, None)


def test_none_such_and_damaged(tmp_path):
    with pytest.raises(ConfigError, match="knows no run r"):
        read_summary(str(tmp_path), "r")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "r.json").write_text("{")
    with pytest.raises(ConfigError, match="is no run summary"):
        read_summary(str(tmp_path), "r")
