"""A whole run that asks several questions of each clip."""

import math

import pytest
from invented_rows import why_profile

import ah_ray


@pytest.mark.slow
def test_the_verdict_stays_and_the_answers_have_a_table(scored, first_night, tmp_path):
    profile = tmp_path / "why.yaml"
    profile.write_text(why_profile().model_dump_json(by_alias=True))
    out = tmp_path / "out"
    scored(first_night.cohort, out, profile=str(profile), max_failed=1.0, hide_uris=True)
    before = ah_ray.read_clips(str(first_night.out)).to_pylist()
    clips = ah_ray.read_clips(str(out)).to_pylist()
    assert len(clips) == len(before) > 3
    for clip, alone in zip(clips, before, strict=True):
        assert math.log(clip["p_ah"]) == pytest.approx(math.log(alone["p_ah"]), abs=5e-6)
        assert clip["answers"][0]["p"] == clip["p_ah"]
        assert [one["contrast"] for one in clip["contrasts"]] == ["face-voice"]
        for name in ("ah", "face", "voice", "seen"):
            p = [one["p"] for one in clip["answers"] if one["question"] == name]
            assert sum(p) == pytest.approx(1)
    answers = ah_ray.read_answers(str(out))
    assert len(answers) == sum(len(clip["answers"]) for clip in clips)
    assert set(answers["sees"].to_pylist()) == {"both", "picture", "sound"}
    asked = ah_ray.read_verdicts(str(out), ["status", "asked"]).to_pylist()
    assert [len(row["asked"] or ()) for row in asked] == [
        0 if row["status"] == "failed" else 8 for row in asked
    ]
    hidden = str(first_night.cohort).encode()
    for path in out.rglob("*.*"):
        assert path.is_dir() or hidden not in path.read_bytes()
