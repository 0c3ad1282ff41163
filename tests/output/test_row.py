from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from invented_rows import SCORED_AT, clip, row, scored, scoring

from ah_ray.config import Reduction
from ah_ray.errors import ErrorKind
from ah_ray.output.row import Provenance, verdict_row
from ah_ray.records import VERDICT
from ah_ray.verdicts.verdict import with_verdict


def test_every_column_and_no_other():
    assert set(row("v", [0.1])) == set(VERDICT.names)
    table = pa.Table.from_pylist([row("v", [0.1])], schema=VERDICT)
    assert table.schema == VERDICT


def test_ok():
    made = row("v", [0.1, 0.7], attempts=0)
    assert (made["status"], made["error_kind"], made["error"]) == ("ok", None, None)
    assert (made["p_ah"], made["answer"]) == (0.7, "Yes")
    assert (made["n_clips"], made["n_failed_clips"]) == (2, 0)
    assert (made["reducer"], made["threshold"]) == ("any", 0.5)
    assert [c["answer"] for c in made["clips"]] == ["No", "Yes"]
    assert [c["clip_index"] for c in made["clips"]] == [0, 1]
    assert (made["attempts"], made["decode_s"], made["score_s"]) == (1, 0.5, 0.5)
    assert made["scored_at"] == SCORED_AT
    assert made["config_fingerprint"] == scoring().fingerprint


def test_partial_tells_of_its_first_failed_clip():
    made = row("v", [0.1, ErrorKind.SCORING, 0.2, ErrorKind.DECODE])
    assert (made["status"], made["error_kind"]) == ("partial", "scoring")
    assert made["error"] == "clip 1 broke"
    assert (made["p_ah"], made["answer"], made["n_failed_clips"]) == (0.2, "No", 2)
    assert [c["answer"] for c in made["clips"]] == ["No", None, "No", None]
    assert [c["error_kind"] for c in made["clips"]] == [None, "scoring", None, "decode"]


def test_partial_takes_the_sentence_from_the_decoder_where_the_clip_has_none():
    video = scored("v", [0.1, ErrorKind.DECODE])
    video.clips[1] = clip(1, ErrorKind.DECODE, error=None)
    video.facts = replace(video.facts, error_kind=ErrorKind.DECODE, error="bad macroblock")
    made = _row(video)
    assert (made["error_kind"], made["error"]) == ("decode", "bad macroblock")


def test_failed_with_clips():
    made = row("v", [ErrorKind.DECODE, ErrorKind.SCORING])
    assert (made["status"], made["error_kind"]) == ("failed", "decode")
    assert (made["p_ah"], made["answer"]) == (None, None)
    assert (made["n_clips"], made["n_failed_clips"]) == (2, 2)


def test_failed_without_clips():
    made = row("v", ErrorKind.UNREADABLE, attempts=2)
    assert (made["status"], made["error_kind"], made["error"]) == (
        "failed",
        "unreadable",
        "it broke",
    )
    assert (made["n_clips"], made["clips"], made["attempts"]) == (0, [], 3)
    assert made["duration_s"] is None


def test_a_problem_found_while_listing():
    video = scored("v", ErrorKind.CRASH, etag=None)
    video.facts = replace(video.facts, error_kind=None, error=None)
    video.video = replace(video.video, problem_kind=ErrorKind.MISSING, problem="not there")
    made = _row(video)
    assert (made["status"], made["error_kind"], made["error"]) == ("failed", "missing", "not there")
    assert made["etag"] is None


def test_errors_are_one_line():
    assert row("v", ErrorKind.DECODE, error="a\n  b\tc")["error"] == "a b c"


def test_hidden_names():
    uri = "s3://study/Anna Muster/visit.mp4"
    made = row(
        "v",
        ErrorKind.DECODE,
        uri=uri,
        error=f"decoding {uri}: visit.mp4 by Anna Muster is cut short",
        hide_uris=True,
        by=scoring("/home/anna/omni"),
    )
    assert made["uri"] is None
    assert made["model"] == "omni"
    assert made["error"] == "decoding …: … by … is cut short"


def test_now_unless_told():
    assert (datetime.now(UTC) - row("v", [0.1], scored_at=None)["scored_at"]).total_seconds() < 60


@pytest.mark.parametrize("reducer", ["mean", "share"])
def test_verdict_formed_again(reducer):
    made = with_verdict(row("v", [0.5, 0.6, 0.1]), Reduction(reducer=reducer, threshold=0.55))
    assert (made["reducer"], made["threshold"]) == (reducer, 0.55)
    assert made["p_ah"] == pytest.approx({"mean": 0.4, "share": 2 / 3}[reducer])
    answers = {"mean": ["No", "Yes", "No"], "share": ["Yes", "Yes", "No"]}[reducer]
    assert [c["answer"] for c in made["clips"]] == answers


def _row(video):
    provenance = Provenance(run_id="r", ah_ray_version="0", ffmpeg_version="7")
    return verdict_row(video, reduction=Reduction(), scoring=scoring(), provenance=provenance)
