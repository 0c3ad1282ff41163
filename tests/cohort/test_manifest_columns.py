"""What a manifest says of its videos besides where they are."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ah_ray.cohort import open_cohort, video_id_of
from ah_ray.cohort.manifest import read_manifest
from ah_ray.cohort.participant_names import pseudonym
from ah_ray.errors import ConfigError
from ah_ray.records import DESCRIBED_BY, FROM_MANIFEST

KEEP = (*DESCRIBED_BY, "site")
TEXT = "uri,participant,visit,question,site,note\na.mp4, P-01 ,1,3,north,x\nb.mp4,,,,,\n"


def write(folder, text: str) -> str:
    (folder / "m.csv").write_text(text, encoding="utf-8")
    return str(folder / "m.csv")


def test_only_named_columns_are_kept(tmp_path):
    first, second = open_cohort(write(tmp_path, TEXT), keep=KEEP)
    assert (first.participant, first.visit, first.question) == ("P-01", "1", "3")
    assert first.groups == (("site", "north"),), "a note was not asked for"
    assert [getattr(second, name) for name in FROM_MANIFEST] == [None] * 4
    plain, _ = open_cohort(write(tmp_path, TEXT))
    assert [getattr(plain, name) for name in FROM_MANIFEST] == [None] * 4


def test_parquet_may_hold_numbers(tmp_path):
    columns = {"uri": ["a.mp4", "b.mp4"], "visit": [1, None], "site": ["north", "south"]}
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    first, second = read_manifest(str(tmp_path / "m.parquet"), video_id_of, KEEP)
    assert (first.visit, first.groups) == ("1", (("site", "north"),))
    assert (second.visit, second.groups) == (None, (("site", "south"),))
    pq.write_table(pa.table(columns | {"question": [1.0, 2.0]}), tmp_path / "m.parquet")
    with pytest.raises(ConfigError, match="column question is double; make it a string"):
        read_manifest(str(tmp_path / "m.parquet"), video_id_of, KEEP)
    assert len(read_manifest(str(tmp_path / "m.parquet"), video_id_of)) == 2


def test_a_group_column_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"--group-by clinic: .*m\.csv has no such column"):
        open_cohort(write(tmp_path, TEXT), keep=("clinic",))
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"--group-by site: --videos .* is no manifest"):
        open_cohort(str(tmp_path), keep=KEEP)
    assert len(open_cohort(str(tmp_path), keep=DESCRIBED_BY)) == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("P\x1b[31m", r"participant 'P\\x1b\[31m' holds a control character"),
        ("P" * 1_001, "participant has 1,001 characters"),
    ],
)
def test_values_that_would_spoil_tables_are_named_by_line(tmp_path, value, message):
    text = f"uri,participant\na.mp4,P\nb.mp4,{value}\n"
    with pytest.raises(ConfigError, match=f"line 3: {message}"):
        open_cohort(write(tmp_path, text), keep=DESCRIBED_BY)


def test_hidden_participants_have_the_pseudonyms_of_prepared_labels(tmp_path):
    uri = write(tmp_path, TEXT)
    first, second = open_cohort(uri, keep=KEEP, hide_names=True, id_key=b"key")
    assert (first.participant, second.participant) == (pseudonym("p-1", b"key"), None)
    with pytest.raises(ConfigError, match="names participants, who need pseudonyms"):
        open_cohort(uri, keep=KEEP, hide_names=True)
    assert len(open_cohort(uri, hide_names=True)) == 2
