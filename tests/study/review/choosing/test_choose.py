"""Clips of an output that a person should judge next."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from invented_calibration import calibration
from invented_rows import clip, make_output, row, scored, scoring
from study.invented_review import read_sheet

from ah_ray.config import Ensemble, OneModel, Reduction, Windows
from ah_ray.errors import ConfigError
from ah_ray.output.config import claim_output
from ah_ray.output.embeddings.files import write_embeddings
from ah_ray.output.row import Provenance, verdict_row
from ah_ray.output.row_files import commit_row
from ah_ray.output.tables import write_tables
from ah_ray.results.calibration import write_calibration
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels
from ah_ray.study.review.choosing.choose import Wish, choose_clips
from ah_ray.study.review.sheet import COLUMNS
from ah_ray.verdicts.reduction import Scaling

VIDEOS = {"a1": [0.5, 0.52, 0.9], "a2": [0.49, 0.1], "b1": [0.6, 0.01], "c1": [0.99, 0.3]}
PEOPLE = {video_id: {"participant": video_id[0].upper()} for video_id in VIDEOS}


@pytest.fixture
def out(tmp_path) -> str:
    place = str(tmp_path / "scores")
    make_output(place, VIDEOS, said=PEOPLE)
    return place


def keep(out: str, kinds: dict[str, list[int | None]]) -> None:
    """Embeddings: clips of a kind have nearly the same one, and those of none have none."""
    for video_id, of_clips in kinds.items():
        random = np.random.default_rng([ord(letter) for letter in video_id])
        clips = [
            replace(
                clip,
                embedding=None
                if kind is None
                else (np.eye(4)[kind] + random.normal(0, 0.01, 4)).astype("<f2").tobytes(),
            )
            for clip, kind in zip(scored(video_id, VIDEOS[video_id]).clips, of_clips, strict=True)
        ]
        write_embeddings(out, row(video_id, VIDEOS[video_id]), clips)


def make_one(out: str, whole, by, reduction: Reduction) -> None:
    """An output of one video."""
    provenance = Provenance(run_id="r", ah_ray_version="0", ffmpeg_version="7")
    claim_output(out, by, reduction)
    made = verdict_row(whole, reduction=reduction, scoring=by, provenance=provenance)
    write_tables(out, [commit_row(out, made)])


def choose_keys(out: str, **wish) -> list[tuple[str, int]]:
    values = {"top": 3, "doubtful": True, "diverse": False, **wish}
    found = choose_clips(out, Wish(**values))
    return [(one.video.video_id, one.clip_index) for one in found.moments]


def labels(folder, windows, splits) -> str:
    rows = [
        {"video_id": video_id, "window_index": n, "start_s": start, "end_s": end, "label": 1,
         "split": splits[video_id], "weight": 1.0}
        for n, (video_id, start, end) in enumerate(windows)
    ]  # fmt: skip
    of_videos = [{"video_id": v, "label": 1, "split": split} for v, split in splits.items()]
    tables = pa.Table.from_pylist(rows, WINDOWS), pa.Table.from_pylist(of_videos, LABELLED_VIDEOS)
    write_labels(str(folder), *tables, {"data_fingerprint": "0" * 16})
    return str(folder)


def test_the_most_doubtful_come_first(out):
    assert choose_keys(out) == [("a1", 0), ("a2", 0), ("a1", 1)]


def test_a_calibration_says_what_is_doubtful(out, tmp_path):
    """It maps 0.9 to one half, so a1's last clip is the one that nobody can tell."""
    made = calibration(
        clip_scaling=Scaling(slope=1, intercept=-float(np.log(9))),
        clip_scaling_by="platt",
        scaling=None,
        threshold=0.5,
    )
    write_calibration(str(tmp_path / "c.json"), made)
    found = choose_clips(
        out, Wish(top=1, doubtful=True, diverse=False, calibration=(str(tmp_path / "c.json"),))
    )
    assert [(one.video.video_id, one.clip_index) for one in found.moments] == [("a1", 2)]
    assert found.is_calibrated and found.doubt[0] == pytest.approx(1)


def test_a_calibration_of_other_scores_is_refused(out, tmp_path):
    write_calibration(str(tmp_path / "c.json"), calibration(scoring("model-b")))
    with pytest.raises(ConfigError, match="fitted to other scores"):
        choose_keys(out, calibration=(str(tmp_path / "c.json"),))


@pytest.mark.parametrize("in_one_run", [True, False])
def test_where_models_contradict_each_other_there_is_doubt(tmp_path, in_one_run):
    first = {"v": [0.5, 0.99, 0.9]}
    second = {"v": [0.5, 0.01, 0.9]}
    place = str(tmp_path / "both")
    if in_one_run:
        models = (OneModel(name="a", fingerprint="1"), OneModel(name="b", fingerprint="2"))
        whole = scored("v", first["v"])
        by, reduction = scoring(models=models), Reduction(ensemble=Ensemble.MEAN)
        whole.clips = [
            replace(clip, model_p_ah=[clip.p_ah, other])
            for clip, other in zip(whole.clips, second["v"], strict=True)
        ]
        make_one(place, whole, by, reduction)
    else:
        inputs = [str(tmp_path / name) for name in "ab"]
        for place_of, p, model in zip(inputs, (first, second), "ab", strict=True):
            make_output(place_of, p, by=scoring(f"model-{model}"))
        reduce_outputs(inputs, place, reduction=Reduction(ensemble=Ensemble.MEAN))
    found = choose_clips(place, Wish(top=3, doubtful=True, diverse=False))
    assert [one.clip_index for one in found.moments] == [1, 0, 2]
    assert found.n_models == 2


def test_they_are_spread_over_people_and_kinds(out):
    kinds = {"a1": [0, 0, 0], "a2": [0, 1], "b1": [1, 2], "c1": [3, 1]}
    keep(out, kinds)
    found = choose_clips(out, Wish(top=3, doubtful=True, diverse=True))
    assert {one.video.video_id[0] for one in found.moments} == {"a", "b", "c"}
    assert (found.n_people, found.people_known, found.n_clips) == (3, True, 9)


def test_without_doubt_all_are_worth_the_same(out):
    keep(out, {"a1": [0, 0, 0], "a2": [0, 0], "b1": [0, 0], "c1": [0, 1]})
    two = choose_keys(out, top=4, doubtful=False, diverse=True)
    assert ("c1", 1) in two, "the one that is unlike all others"


def test_without_embeddings_it_says_how_to_have_them(out):
    with pytest.raises(ConfigError, match="--keep-embeddings"):
        choose_keys(out, diverse=True)


def test_clips_without_an_embedding_are_counted(out):
    keep(out, {"a1": [0, 0, 0], "b1": [0, 1]})
    found = choose_clips(out, Wish(top=9, doubtful=True, diverse=True))
    assert len(found.moments) == 5 and found.n_without_embedding == 4
    keep(out, {"c1": [None, None]})  # its row was scored by another model of an ensemble
    found = choose_clips(out, Wish(top=9, doubtful=True, diverse=True))
    assert len(found.moments) == 5 and found.n_without_embedding == 4


def test_embeddings_of_others_are_of_no_use(out, tmp_path):
    keep(out, {"a1": [0, 0, 0]})
    made = labels(tmp_path / "labels", [("a1", 0.0, 15.0)], {"a1": "train"})
    with pytest.raises(ConfigError, match="none of the 6 clips that may be chosen has an embed"):
        choose_keys(out, diverse=True, answered=(made,))


def test_what_is_labelled_is_not_asked_again_nor_who_is_held_out(out, tmp_path):
    """B is in val, so none of B's clips is of use; a1 was judged from 3 to 8 s."""
    made = labels(tmp_path / "labels", [("a1", 3.0, 8.0)], {"a1": "train", "b1": "val"})
    found = choose_clips(out, Wish(top=9, doubtful=True, diverse=False, answered=(made,)))
    keys = {(one.video.video_id, one.clip_index) for one in found.moments}
    assert keys == {("a1", 2), ("a2", 0), ("a2", 1), ("c1", 0), ("c1", 1)}
    assert (found.n_clips, found.n_judged, found.n_held_out) == (9, 2, 2)


def test_all_videos_of_somebody_in_test_are_held_out(out, tmp_path):
    made = labels(tmp_path / "labels", [], {"a1": "test"})
    assert {video_id[0] for video_id, _ in choose_keys(out, top=9, answered=(made,))} == {"b", "c"}


def test_a_sheet_with_answers_counts_too(out, tmp_path):
    rows = [
        {"video_id": "a1", "start_s": "0", "end_s": "5", "answer": "Cannot tell"},
        {"video_id": "a2", "start_s": "0", "end_s": "5", "answer": ""},
    ]
    with (tmp_path / "sheet.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    assert len(read_sheet(tmp_path / "sheet.csv")) == 2
    found = choose_keys(out, top=2, answered=(str(tmp_path / "sheet.csv"),))
    assert found == [("a2", 0), ("a1", 1)]


def test_a_sheet_with_faults_is_refused(out, tmp_path):
    (tmp_path / "sheet.csv").write_text("video_id,start_s,end_s,answer\na1,0,5,perhaps\n")
    with pytest.raises(ConfigError, match=r"--answered .*sheet.csv:2: .*'perhaps' is unknown"):
        choose_keys(out, answered=(str(tmp_path / "sheet.csv"),))


def test_nothing_left_is_said(out, tmp_path):
    windows = [(video_id, 0.0, 60.0) for video_id in VIDEOS]
    made = labels(tmp_path / "labels", windows, dict.fromkeys(VIDEOS, "train"))
    with pytest.raises(ConfigError, match=r"no clip left to choose: of 9 .* 9 were judged before"):
        choose_keys(out, answered=(made,))


def test_people_whom_nobody_names_are_their_videos(tmp_path):
    place = str(tmp_path / "unnamed")
    make_output(place, VIDEOS)
    found = choose_clips(place, Wish(top=3, doubtful=True, diverse=False))
    assert not found.people_known and found.n_people == 2


def test_overlapping_windows_are_chosen_once(tmp_path):
    place, by = str(tmp_path / "dense"), scoring(windows=Windows(hop_s=1.0))
    whole = scored("v", [0.5] * 20)
    whole.clips = [clip(n, 0.5, start_s=float(n), end_s=n + 5.0) for n in range(20)]
    make_one(place, whole, by, Reduction())
    starts = sorted(index for _, index in choose_keys(place, top=20))
    assert len(starts) >= 2
    assert all(b - a >= 5 for a, b in pairwise(starts))
