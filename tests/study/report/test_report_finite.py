"""Numbers of foreign tables that are not finite are shown as not scored."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented_rows import make_output
from study.report.test_report_make import data_of

from ah_ray.output.table_files import CLIPS_FILE, VERDICTS_FILE
from ah_ray.study.report.finite import replace_not_finite
from ah_ray.study.report.make import make_report
from ah_ray.study.report.settings import ReportSettings


def test_each_bad_number_is_null_and_a_bad_score_has_no_answer():
    table = pa.table(
        {
            "p_ah": [0.5, math.nan, math.inf, None],
            "answer": ["Yes", "Yes", "No", None],
            "status": ["ok", "ok", "ok", "failed"],
            "error_kind": [None, None, None, "decode"],
            "duration_s": [math.inf, 5.0, 5.0, None],
        }
    )
    found = replace_not_finite(table).to_pydict()
    assert found["p_ah"] == [0.5, None, None, None]
    assert found["answer"] == ["Yes", None, None, None]
    assert found["status"] == ["ok", "failed", "failed", "failed"]
    assert found["error_kind"] == [None, "scoring", "scoring", "decode"]
    assert found["duration_s"] == [None, 5.0, 5.0, None]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_page_of_a_foreign_table(tmp_path, bad):
    out = str(tmp_path / "scores")
    make_output(out, {"a": [0.9, 0.8], "b": [0.2]})
    _put(Path(out) / VERDICTS_FILE, "p_ah", 0, bad)
    _put(Path(out) / VERDICTS_FILE, "duration_s", 1, bad)
    _put(Path(out) / CLIPS_FILE, "p_ah", 1, bad)
    _put(Path(out) / CLIPS_FILE, "end_s", 2, bad)
    made = make_report(ReportSettings(out=out))
    videos = data_of(made)["videos"]
    assert videos["p"] == [None, 200]
    assert videos["p_clips"] == [[900, None], [200]]
    assert videos["duration_s"] == [10.0, None]
    page = Path(made.file).read_text(encoding="utf-8")
    assert "1 could not be scored: scoring." in page


def _put(path: Path, column: str, place: int, value: float) -> None:
    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[place] = value
    index = table.column_names.index(column)
    field = table.schema.field(column)
    pq.write_table(table.set_column(index, field, pa.array(values, field.type)), path)
