"""Answers to several questions in rows and tables, and outputs from before there were any."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented_rows import EFFORT, make_output, name_of, row, scoring, why_profile

import ah_ray
from ah_ray.errors import ConfigError, ErrorKind, StorageError
from ah_ray.output import tables
from ah_ray.output.config import is_own_file
from ah_ray.output.read import read_answers, read_clips, read_expected_values, read_verdicts
from ah_ray.output.row_files import commit_row, read_row_files
from ah_ray.output.stream import stream_rows
from ah_ray.output.tables import write_tables
from ah_ray.records import ANSWERS, CLIPS, VERDICTS

WHY = scoring(profile=why_profile())
VIDEOS = {"a": [0.1, 0.6], "b": [ErrorKind.DECODE, 0.9], "c": ErrorKind.UNREADABLE, "d": [0.3]}
N_ANSWERS = 2 + 3 + 3 + 2


def test_all_answers_are_in_a_table_of_their_own(tmp_path):
    rows = make_output(str(tmp_path), VIDEOS, by=WHY)
    answers = read_answers(str(tmp_path))
    assert answers.schema == ANSWERS
    expected = [
        {"video_id": of["video_id"]}
        | {name: clip[name] for name in ("clip_index", "start_s", "end_s")}
        | answer
        for of in rows
        for clip in of["clips"]
        for answer in clip["answers"] or ()
    ]
    sees = {"ah": "both", "face": "picture", "voice": "sound", "seen": "both"}
    found = answers.to_pylist()
    assert [one.pop("sees") for one in found] == [sees[one["question"]] for one in expected]
    assert {one.pop("value") for one in found} == {None}
    assert found == expected and len(found) == 4 * N_ANSWERS
    assert ah_ray.read_answers(str(tmp_path), ["p"]) == answers.select(["p"])
    assert is_own_file(str(tmp_path), str(tmp_path / "answers.parquet"))


def test_a_row_has_each_further_answer_reduced(tmp_path):
    make_output(str(tmp_path), VIDEOS, by=WHY)
    a, b, c, d = read_verdicts(str(tmp_path), ["asked"])["asked"].to_pylist()
    assert c is None and len(a) == len(b) == len(d) == N_ANSWERS - 2
    assert [one["question"] for one in a] == ["face"] * 3 + ["voice"] * 3 + ["seen"] * 2
    assert [one["reducer"] for one in a] == ["any"] * 3 + ["mean"] * 5
    of_clips = read_clips(str(tmp_path), ["video_id", "answers", "contrasts"]).to_pylist()
    of_a = [clip["answers"] for clip in of_clips if clip["video_id"] == "a"]
    assert a[0]["p"] == max(answers[2]["p"] for answers in of_a)
    assert a[3]["p"] == pytest.approx(sum(answers[5]["p"] for answers in of_a) / 2)
    assert [len(clip["contrasts"] or ()) for clip in of_clips] == [1, 1, 0, 1, 1]


def test_a_scale_has_an_expected_value(tmp_path):
    """Of each clip in the table of answers, and of each video, as counted by hand."""
    profile = why_profile({"effort": EFFORT, "slow": EFFORT | {"text": "?", "reducer": "any"}})
    make_output(str(tmp_path), VIDEOS, by=scoring(profile=profile))
    answers = read_answers(str(tmp_path)).to_pylist()
    for one in answers:
        same = [
            other
            for other in answers
            if all(one[name] == other[name] for name in ("video_id", "clip_index", "question"))
        ]
        numbers = dict(zip(EFFORT["answers"], EFFORT["scale"], strict=True))
        if one["question"] in ("effort", "slow"):
            by_hand = sum(other["p"] * numbers[other["answer"]] for other in same)
            assert len(same) == 3 and one["value"] == pytest.approx(by_hand)
        else:
            assert one["value"] is None
    values = ah_ray.read_expected_values(str(tmp_path)).to_pylist()
    assert [(one["video_id"], one["question"]) for one in values] == [
        (video_id, question) for video_id in "abd" for question in ("effort", "slow")
    ]
    of_a = [one for one in answers if one["video_id"] == "a" and one["answer"] == "easy"]
    mean = sum(one["value"] for one in of_a if one["question"] == "effort") / 2
    assert values[0]["value"] == pytest.approx(mean)
    asked = read_verdicts(str(tmp_path), ["asked"])["asked"][0].as_py()
    p = {one["answer"]: one["p"] for one in asked if one["question"] == "slow"}
    assert sum(p.values()) > 1, "the highest of two clips each"
    by_hand = (p["easy"] + 2 * p["fair"] + 4 * p["hard"]) / sum(p.values())
    assert values[1]["value"] == pytest.approx(by_hand)


def test_a_table_of_before_there_were_values(tmp_path):
    """As it is read, and as the next run writes it again."""
    rows = make_output(str(tmp_path), VIDEOS, by=scoring(profile=why_profile({"effort": EFFORT})))
    path = tmp_path / "answers.parquet"
    before = read_answers(str(tmp_path))
    pq.write_table(pq.read_table(path).drop_columns(["value"]), path)
    assert read_answers(str(tmp_path)).schema == ANSWERS
    assert read_answers(str(tmp_path), ["value"])["value"].null_count == len(before)
    write_tables(str(tmp_path), map(name_of, rows))
    assert read_answers(str(tmp_path)) == before and before["value"].null_count < len(before)


def test_one_question_has_no_expected_value(tmp_path):
    make_output(str(tmp_path), VIDEOS)
    assert read_expected_values(str(tmp_path)).num_rows == 0


def test_one_question_leaves_all_as_it_was(tmp_path):
    make_output(str(tmp_path), VIDEOS)
    assert not (tmp_path / "answers.parquet").exists()
    clips = read_clips(str(tmp_path))
    assert clips["answers"].null_count == clips["contrasts"].null_count == len(clips)
    assert read_verdicts(str(tmp_path))["asked"].null_count == 4
    with pytest.raises(ConfigError, match=r"one question .* was asked, and clips.parquet holds"):
        read_answers(str(tmp_path))
    with pytest.raises(ConfigError, match="is no output of ah_ray"):
        read_answers(str(tmp_path / "none"))


def test_a_table_of_answers_goes_with_the_last_of_them(tmp_path):
    rows = make_output(str(tmp_path), VIDEOS, by=WHY)
    write_tables(str(tmp_path), [name_of(rows[2])])  # the one without clips
    assert not (tmp_path / "answers.parquet").exists()
    assert read_verdicts(str(tmp_path)).num_rows == 1


def test_across_groups_and_nights(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "GROUP_ROWS", 3)
    videos = {f"v{n:02}": [n / 20] * (n % 3) or ErrorKind.NO_VIDEO for n in range(20)}
    rows = make_output(str(tmp_path), videos, by=WHY)
    names = [*map(name_of, rows), commit_row(str(tmp_path), row("new", [0.5], by=WHY))]
    write_tables(str(tmp_path), names[4:])
    ids = read_answers(str(tmp_path), ["video_id"])["video_id"].to_pylist()
    n_clips = {f"v{n:02}": n % 3 for n in range(4, 20)}
    assert ids == ["new"] * N_ANSWERS + [
        video_id for video_id, n in n_clips.items() for _ in range(n * N_ANSWERS)
    ]


def test_tables_that_are_of_two_runs_are_named(tmp_path, monkeypatch):
    rows = make_output(str(tmp_path), VIDEOS, by=WHY)

    def fail(uri: str, *_: object) -> None:
        if uri.endswith("clips.parquet"):
            raise StorageError("503")

    monkeypatch.setattr("ah_ray.storage.replace_file", fail)
    words = "answers.parquet is of this run and clips.parquet and verdicts.parquet are not"
    with pytest.raises(StorageError, match=words):
        write_tables(str(tmp_path), map(name_of, rows))


class TestAnEarlierOutput:
    """Rows and tables without the columns that answers have, as an earlier ah_ray wrote them."""

    @pytest.fixture(params=[1, 2])
    def out(self, request, tmp_path) -> str:
        make_output(str(tmp_path), VIDEOS)
        for path in tmp_path.rglob("*.parquet"):
            pq.write_table(make_earlier(pq.read_table(path), request.param), path)
        return str(tmp_path)

    def test_is_read(self, out):
        verdicts, clips = read_verdicts(out), read_clips(out)
        assert (verdicts.schema, clips.schema) == (VERDICTS, CLIPS)
        assert verdicts["asked"].null_count == 4
        assert verdicts["p_ah"].to_pylist() == [0.6, 0.9, None, 0.3]
        assert [len(of["clips"]) for of in stream_rows(out)] == [2, 2, 0, 1]
        assert {of["clips"][0]["answers"] for of in stream_rows(out) if of["clips"]} == {None}

    def test_goes_on(self, out):
        """Its rows count, so no video is scored again, and the tables take the new columns."""
        names = [name_of(row(video_id, p_ah)) for video_id, p_ah in VIDEOS.items()]
        assert all(found is not None for _, found in read_row_files(out, names))
        before = read_verdicts(out)
        new = commit_row(out, row("e", [0.2]))
        counts = write_tables(out, [*names, new])
        assert (counts.n_rows, counts.n_missing) == (5, 0)
        assert read_verdicts(out).slice(0, 4) == before


def make_earlier(table: pa.Table, version: int) -> pa.Table:
    marks = table.schema.metadata or {}
    if "schema_version" in table.column_names:
        place = table.column_names.index("schema_version")
        ones = pa.array([version] * len(table), pa.int32())
        table = table.set_column(place, "schema_version", ones)
    later = {"asked", "answers", "contrasts"} | ({"remarks"} if version == 1 else set())
    table = table.drop_columns([name for name in table.column_names if name in later])
    if "clips" in table.column_names:
        kept = [field for field in table.schema.field("clips").type.value_type
                if field.name not in later]  # fmt: skip
        rows = [
            [{f.name: one[f.name] for f in kept} for one in clips]
            for clips in table["clips"].to_pylist()
        ]
        place = table.column_names.index("clips")
        table = table.set_column(place, "clips", pa.array(rows, pa.list_(pa.struct(kept))))
    if b"ah_ray.schema_version" in marks:
        marks = marks | {b"ah_ray.schema_version": str(version).encode()}
    return table.replace_schema_metadata(marks)
