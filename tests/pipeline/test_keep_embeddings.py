"""A run that keeps embeddings: each row has its own, from night to night, and no score moves."""

from __future__ import annotations

import shutil

import pytest
from outputs import OF_THE_RUN, clips, row_files, verdicts

import ah_ray
from ah_ray import storage
from ah_ray.output.embeddings.files import kept_names
from ah_ray.output.embeddings.read import as_matrix

pytestmark = pytest.mark.heavy


def names(out) -> set[str]:
    return kept_names(str(out))


def test_from_night_to_night(scored_without_model, small_cohort, tmp_path):
    score, out = scored_without_model, tmp_path / "out"
    score(small_cohort, out, max_failed=1.0)
    plain, plain_clips = verdicts(out), clips(out)
    assert names(out) == set()

    kept = score(small_cohort, out, max_failed=1.0, keep_embeddings=True)
    assert kept.summary.plan["bare"] == 3, "of three recordings; the fourth has no clips"
    assert verdicts(out, OF_THE_RUN) == plain and clips(out) == plain_clips
    table = ah_ray.read_embeddings(str(out))
    scored_clips = [clip for clip in plain_clips if clip["p_ah"] is not None]
    assert table["video_id"].to_pylist() == [clip["video_id"] for clip in scored_clips]
    assert as_matrix(table)[:, -1].tolist() == [clip["clip_index"] for clip in scored_clips]

    again = score(small_cohort, out, max_failed=1.0, keep_embeddings=True)
    assert again.summary.clips_scored == 0, "all of them are kept"

    shutil.copy(small_cohort / "visit-01 answer 1.mp4", small_cohort / "visit-02 answer 1.mp4")
    lost = storage.join(str(out), "embeddings", sorted(names(out))[0])
    orphan = storage.join(str(out), "embeddings", "00000000-00000000.parquet")
    storage.write_whole(orphan, storage.read_bytes(lost))
    storage.remove([lost])
    repaired = score(small_cohort, out, max_failed=1.0, keep_embeddings=True)
    changed, bare = (repaired.summary.plan.get(state, 0) for state in ("changed", "bare"))
    assert changed == 1 and bare in (0, 1), "the lost one may be that of the changed recording"
    ok = {name for name in row_files(out) if _is_scored(out, name)}
    assert names(out) >= ok and names(out) <= row_files(out).keys()


def test_a_run_without_them_lets_none_grow_stale(scored_without_model, small_cohort, tmp_path):
    """`empty.mp4` is tried again, and its earlier embeddings would be those of another attempt."""
    score, out = scored_without_model, tmp_path / "out"
    score(small_cohort, out, max_failed=1.0, keep_embeddings=True)
    assert names(out) == row_files(out).keys(), "also where there are none to keep"
    score(small_cohort, out, max_failed=1.0, retry_failed=True)
    assert len(names(out)) == 3


def _is_scored(out, name: str) -> bool:
    return verdicts(out)[name.rpartition("-")[0]]["status"] != "failed"
