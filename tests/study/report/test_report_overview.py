"""The first screen's numbers, against counts made by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_rows import row

from ah_ray.errors import ErrorKind
from ah_ray.records import VERDICT, VERDICTS
from ah_ray.study.report.overview import N_BANDS, count_overview, split_by_run


def table(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=VERDICT).select(VERDICTS.names)


def test_scored_failed_and_why_are_counted():
    found = count_overview(
        table(
            row("a", [0.9, 0.1]),
            row("b", [0.2]),
            row("c", [0.7, ErrorKind.DECODE]),
            row("d", ErrorKind.DECODE),
            row("e", ErrorKind.TIMEOUT),
            row("f", ErrorKind.TIMEOUT),
        )
    )
    assert (found.n_ok, found.n_partial, found.n_failed) == (2, 1, 3)
    assert (found.n_scored, found.n_rows) == (3, 6)
    assert (found.n_yes, found.n_no) == (2, 1)
    assert found.share_yes == pytest.approx(2 / 3)
    assert (found.n_clips, found.n_failed_clips, found.duration_s) == (5, 1, 25.0)
    assert [(kind.name, kind.n_failed, kind.n_partial) for kind in found.kinds] == [
        ("timeout", 2, 0),
        ("decode", 1, 1),
    ]
    assert all(kind.remedy == ErrorKind(kind.name).remedy for kind in found.kinds)


def test_remarks_are_counted_among_the_scored():
    rows = [row("a", [0.9]), row("b", [0.2]), row("c", [0.2]), row("d", ErrorKind.NO_VIDEO)]
    rows[0] |= {"has_audio": False, "sound_is_silent": True}
    rows[1] |= {"sound_is_silent": True, "picture_is_still": True}
    found = count_overview(table(*rows))
    assert (found.without_sound, found.silent, found.still) == (1, 1, 1)
    assert [n for n, _ in found.doubtful] == [1, 1, 1]
    assert count_overview(table(rows[2])).doubtful == []


def test_where_nothing_was_scored_there_is_no_share():
    found = count_overview(table(row("a", ErrorKind.MISSING)))
    assert found.share_yes is None
    assert sum(band.n for band in found.bands) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_every_scored_video_is_in_the_band_of_its_score(scores):
    found = count_overview(table(*(row(f"v{n}", [p]) for n, p in enumerate(scores))))
    assert len(found.bands) == N_BANDS
    for band in found.bands:
        last = band.high == 1
        inside = [p for p in scores if band.low <= p < band.high or (last and p == 1)]
        # 0.15 has no exact float: a score within rounding of an edge may fall either way.
        near = [p for p in scores if min(abs(p - band.low), abs(p - band.high)) < 1e-12]
        assert abs(band.n - len(inside)) <= len(near)
    assert sum(band.n_yes for band in found.bands) == sum(p >= 0.5 for p in scores)
    assert sum(band.n for band in found.bands) == len(scores)


def test_rows_of_the_last_run_and_those_from_before():
    rows = [
        row("a", [0.9], run_id="monday"),
        row("b", [0.1], run_id="monday"),
        row("c", ErrorKind.DECODE, run_id="monday"),
        row("d", [0.6], run_id="tuesday"),
    ]
    tonight, before = split_by_run(table(*rows), "tuesday")
    assert (tonight.n, tonight.n_scored, tonight.n_yes, tonight.median_p_ah) == (1, 1, 1, 0.6)
    assert (before.n, before.n_scored, before.n_yes, before.median_p_ah) == (3, 2, 1, 0.5)
    assert before.share_yes == 0.5
    none, every = split_by_run(table(*rows), "wednesday")
    assert (none.n, none.share_yes, none.median_p_ah, every.n) == (0, None, None, 4)
