"""Two nights side by side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ah_ray.output.runs import RunSummary, TableCounts
from ah_ray.study.report.nights import compare_nights

STARTED = datetime(2026, 1, 2, 3, tzinfo=UTC)


def summary(day: int, *, videos: int = 100, failed: int = 3, counted: bool = True, **fields):
    counts = TableCounts(
        videos=videos,
        rows=videos - 1,
        missing=1,
        clips=4_000,
        duration_s=7_200.0,
        by_status={"ok": videos - failed - 3, "partial": 2, "failed": failed},
        failed_by_kind={"decode": failed},
        partial_by_kind={},
    )
    started = STARTED + timedelta(days=day)
    made = {
        "run_id": f"run-{day}",
        "started_at": started,
        "ended_at": started + timedelta(minutes=10),
        "exit_status": 0,
        "counts": counts if counted else None,
        "changes": {"new": 5, "changed": 1, "removed": 0, "failed": 2},
        "clips_scored": 1_200,
    }
    return RunSummary(**made | fields)


def lines_by_name(lines):
    return {line.name: (line.before, line.tonight, line.change) for line in lines}


def test_each_quantity_of_both_nights_and_its_change():
    found = compare_nights([summary(2, videos=1_200, failed=3), summary(1, videos=100, failed=5)])
    assert found.run_id == "run-2"
    assert found.before_ended_at < found.ended_at
    assert found.n_missing == 1
    assert lines_by_name(found.cohort) == {
        "Videos in the cohort": ("100", "1,200", "+1,100"),
        "Scored": ("94", "1,196", "+1,102"),
        "Not scored": ("5", "3", "−2"),
        "Without a row": ("1", "1", "no change"),
        "Hours of video": ("2.0", "2.0", "no change"),
        "Clips": ("4,000", "4,000", "no change"),
    }
    assert lines_by_name(found.work)["Clips per second"] == ("2.0", "2.0", "")
    assert lines_by_name(found.work)["Time it took"] == ("10:00", "10:00", "")


def test_a_first_night_is_compared_with_nothing():
    found = compare_nights([summary(1)])
    assert found.before_ended_at is None
    assert lines_by_name(found.cohort)["Scored"] == ("–", "96", "")


def test_a_run_that_never_got_to_its_tables_is_passed_over():
    found = compare_nights(
        [summary(3, counted=False), summary(2), summary(1, counted=False), summary(0)]
    )
    assert (found.run_id, found.before_ended_at.day) == ("run-2", 2)
    assert compare_nights([summary(1, counted=False)]) is None
    assert compare_nights([]) is None


def test_trouble_is_shown_without_its_words_which_may_hold_a_path():
    found = compare_nights([summary(1, trouble="/cohort/anna.mp4 cannot be read")])
    assert found.trouble
    assert "anna" not in str(found)


def test_what_neither_night_tells_has_no_line():
    found = compare_nights(
        [summary(2, changes={}, clips_scored=0), summary(1, changes={}, clips_scored=0)]
    )
    assert [line.name for line in found.work] == ["Time it took"]


def test_a_short_cohort_is_shown_in_minutes():
    short = summary(1)
    counts = short.counts.model_copy(update={"duration_s": 90.0})
    found = compare_nights([short.model_copy(update={"counts": counts})])
    assert lines_by_name(found.cohort)["Minutes of video"] == ("–", "1.5", "")
    both = compare_nights([summary(2), short.model_copy(update={"counts": counts})])
    assert lines_by_name(both.cohort)["Hours of video"] == ("0.0", "2.0", "+2.0")
