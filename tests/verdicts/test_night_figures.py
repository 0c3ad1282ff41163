"""The figures that a run records of its own rows."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from invented_rows import name_of, row, scoring

from ah_ray.config import Reduction
from ah_ray.errors import ErrorKind
from ah_ray.output.config import claim_output
from ah_ray.output.row_files import commit_row
from ah_ray.output.tables import flat_clips, write_tables
from ah_ray.records import VERDICT, VERDICTS
from ah_ray.verdicts.night_figures import NightFigures, figures_by_run


def tables(*rows: dict) -> tuple[pa.Table, pa.Table]:
    whole = pa.Table.from_pylist(list(rows), schema=VERDICT)
    return whole.select(VERDICTS.names), flat_clips(whole.combine_chunks())


def rows_of_two_nights() -> list[dict]:
    silent = row("b", [0.2, 0.4], run_id="monday") | {"sound_is_silent": True}
    still = row("c", [0.6], run_id="tuesday") | {"picture_is_still": True, "has_audio": False}
    return [
        row("a", [0.9, ErrorKind.DECODE], run_id="monday"),
        silent,
        still,
        row("d", ErrorKind.TIMEOUT, run_id="tuesday"),
        row("e", ErrorKind.TIMEOUT, run_id="tuesday"),
    ]


def test_each_run_has_its_own_rows():
    found = figures_by_run(*tables(*rows_of_two_nights()))
    assert found.keys() == {"monday", "tuesday"}
    monday, tuesday = found["monday"], found["tuesday"]
    assert (monday.n_rows, monday.n_scored, monday.n_yes, monday.n_silent) == (2, 2, 1, 1)
    assert monday.p_ah.mean == pytest.approx((0.9 + 0.4) / 2)
    assert (monday.answer_mass.n, monday.answer_mass.mean) == (3, pytest.approx(0.9))
    assert (tuesday.n_still, tuesday.n_silent, tuesday.n_failed) == (1, 1, 2)
    assert tuesday.failed_by_kind == {"timeout": 2}


def test_parts_of_a_run_add_up():
    rows = rows_of_two_nights()
    whole = figures_by_run(*tables(*rows))
    parts = [figures_by_run(*tables(each)) for each in rows]
    for run_id, figures in whole.items():
        added = sum((part.get(run_id, NightFigures()) for part in parts), NightFigures())
        sums = {"p_ah", "answer_mass"}
        assert added.model_dump(exclude=sums) == figures.model_dump(exclude=sums)
        for name in sums:
            one, other = getattr(added, name), getattr(figures, name)
            assert one.model_dump() == pytest.approx(other.model_dump())


def test_numbers_that_are_not_finite_do_not_count():
    verdicts, clips = tables(row("a", [0.9]), row("b", [0.4]))
    place = verdicts.column_names.index("p_ah")
    verdicts = verdicts.set_column(place, "p_ah", pa.array([math.nan, 0.4]))
    (found,) = figures_by_run(verdicts, clips).values()
    assert (found.n_rows, found.n_scored, found.p_ah.total) == (2, 1, 0.4)


def test_the_tables_are_counted_by_run_while_they_are_written(tmp_path):
    rows, out = rows_of_two_nights(), str(tmp_path / "scores")
    claim_output(out, scoring(), Reduction())
    for each in rows:
        commit_row(out, each, stale=())
    counts = write_tables(out, map(name_of, rows))
    assert counts.by_run == figures_by_run(*tables(*rows))
