"""Labels that go out to a tool and come back are the same: intervals, annotators, agreement."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study.exchange.invented_exchange import make_labels, make_scores, mark, run_export

from ah_ray.study.agreement import cohens_kappa
from ah_ray.study.label_errors import Faults
from ah_ray.study.labelled_video import LabelledVideo
from ah_ray.study.prepare.annotated.read_annotated import read_annotated
from ah_ray.study.prepare.settings import prepare_settings

VIDEOS = [f"v{number}" for number in range(4)]
DURATION_S = 15.0
FPS = 25  # of invented_rows
TICKS = {"elan": 1000, "boris": 1000, "label-studio": FPS}
"""How many moments a second the format of a tool knows."""


@st.composite
def spells(draw: st.DrawFn, ticks: int, *, apart: bool) -> list[tuple[float, float]]:
    """Intervals between moments that the format knows; they overlap unless `apart`."""
    last = int(DURATION_S * ticks)
    if apart:
        edges = sorted(draw(st.sets(st.integers(0, last), max_size=6)))
        pairs = list(zip(edges[::2], edges[1::2], strict=False))
    else:
        moments = st.tuples(st.integers(0, last), st.integers(0, last))
        found = draw(st.lists(moments.filter(lambda pair: pair[0] != pair[1]), max_size=4))
        pairs = sorted(set(map(tuple, map(sorted, found))))
    return [(start / ticks, end / ticks) for start, end in pairs]


LETTERS = st.characters(categories=("L", "N", "S", "P", "Zs"))
NAMES = st.text(LETTERS, min_size=1, max_size=12).filter(lambda name: name == name.strip())
TRICKY = st.sampled_from(["ann", "ann (2)", "A/H@ann", "@", "model", "é\N{SNOWMAN}"])


@st.composite
def label_rows(draw: st.DrawFn, ticks: int) -> dict[str, dict]:
    """Rows of a labelled manifest: some A/H, some not, by up to three annotators of any name."""
    people = draw(st.lists(NAMES | TRICKY, max_size=3, unique_by=lambda name: name.casefold()))
    rows = {}
    for name in VIDEOS[:2]:
        marks = {one: draw(spells(ticks, apart=False)) for one in people}
        segments = draw(spells(ticks, apart=True))
        label = 1 if segments else draw(st.sampled_from([0, 1]))
        rows[name] = {
            "label": label,
            "segments": [{"start_s": a, "end_s": b} for a, b in segments],
            "annotators": people,
            "marks": [mark(one, *pair) for one, pairs in marks.items() for pair in pairs],
        }
    return rows


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("round-trip")
    make_scores(folder, {name: [0.5, 0.6, 0.7] for name in VIDEOS})
    yield folder


def go_round(
    place: Path,
    tool: str,
    rows: dict[str, dict],
    answers: Sequence[dict] = (),
    **more: object,
) -> list[LabelledVideo]:
    for name in ("files", "labels"):
        shutil.rmtree(place / name, ignore_errors=True)
    labels = make_labels(place, rows, answers)
    run_export(str(place / "scores"), tool, place / "files", labels=labels)
    for name in VIDEOS:
        (place / "files" / f"{name}.mp4").touch()
    source = {tool.replace("-", "_"): str(place / "files")}
    given_settings = prepare_settings(out="-", plain_participants=True, **source, **more)
    faults = Faults()
    found = read_annotated(given_settings, None, faults, defaultdict(float))
    assert not faults.found
    return found


def of_annotators(row: dict) -> dict[str, list[tuple[float, float]]]:
    found = {name: [] for name in row["annotators"]}
    for one in row["marks"]:
        found[one["annotator"]].append((one["start_s"], one["end_s"]))
    return {name: sorted(pairs) for name, pairs in found.items()}


@pytest.mark.parametrize("tool", TICKS)
@settings(max_examples=settings.default.max_examples // 2)  # each is a whole export
@given(data=st.data())
def test_labels_come_back_as_they_were(place, tool, data):
    rows = data.draw(label_rows(TICKS[tool]))
    found = {video.video_id: video for video in go_round(place, tool, rows)}
    assert found.keys() == rows.keys()
    for name, row in rows.items():
        video = found[name]
        assert (video.label, video.participant) == (row["label"], f"p-{name}")
        segments = [(one["start_s"], one["end_s"]) for one in row["segments"]]
        if video.label:
            assert [(one.start_s, one.end_s) for one in video.marked] == segments
            assert all(one.label == 1 for one in video.marked)
        else:
            (whole,) = video.marked
            assert whole.is_whole and whole.label == 0
        marks = of_annotators(row)
        said = {
            one.annotator: [(each.start_s, each.end_s) for each in one.intervals]
            for one in video.annotations
        }
        known = {who: pairs for who, pairs in marks.items() if who in said}
        assert said == known
        if any(marks.values()) or not row["label"]:  # else nobody says who found it
            assert said.keys() == marks.keys()


@pytest.mark.parametrize("tool", TICKS)
def test_agreement_is_the_same_before_and_after(place, tool):
    rows = {
        name: {
            "label": int(bool(a or b)),
            "segments": [],
            "annotators": ["ann", "bob"],
            "marks": [mark("ann", 1.0, 3.0)] * a + [mark("bob", 2.0, 4.0)] * b,
        }
        for name, (a, b) in zip(VIDEOS, [(1, 1), (0, 0), (1, 0), (1, 1)], strict=True)
    }
    before = [[bool(of_annotators(rows[name])[who]) for name in VIDEOS] for who in ("ann", "bob")]
    found = {video.video_id: video for video in go_round(place, tool, rows)}
    labels = [
        {one.annotator: bool(one.label) for one in found[name].annotations} for name in VIDEOS
    ]
    after = [[each[who] for each in labels] for who in ("ann", "bob")]
    assert after == before
    assert cohens_kappa(*after) == cohens_kappa(*before) == pytest.approx(0.5)
    assert (place / "files" / "vocabulary.yaml").exists()


@pytest.mark.parametrize("tool", TICKS)
def test_the_written_vocabulary_reads_them_too(place, tool):
    rows = {name: {"label": 0} for name in VIDEOS}
    plain = go_round(place, tool, rows)
    file = str(place / "vocabulary.yaml")
    shutil.copy(place / "files" / "vocabulary.yaml", file)
    named = go_round(place, tool, rows, vocabulary=file)
    assert [one.label for one in named] == [one.label for one in plain] == [0] * 4


ANSWERS = [
    ("v0", "face", "neutral", 0.0, 4.0),
    ("v0", "face", "positive", 4.0, 5.4),
    ("v0", "mood", "low, or so", None, None),
    ("v1", "face", "negative", None, None),
]


@pytest.mark.parametrize("tool", TICKS)
def test_answers_to_further_questions_come_back(place, tool):
    names = ("video_id", "question", "answer", "start_s", "end_s")
    rows = {name: {"label": 0} for name in VIDEOS}
    given_answers = [dict(zip(names, one, strict=True)) for one in ANSWERS]
    file = place / "vocabulary.yaml"
    tiers = [("{}", ""), ("label_{}", ""), ("{} of the video", ", whole: true"),
             ("label_{}_of_video", ", whole: true")]  # fmt: skip
    entries = "\n".join(
        f"  - {{tier: '{tier.format(question)}', question: {question}, answer: '*'{whole}}}"
        for question in ("face", "mood")
        for tier, whole in tiers
    )
    file.write_text(f"annotations:\n{entries}\n")
    found = go_round(place, tool, rows, given_answers, vocabulary=str(file))
    back = [
        (one.video_id, each.question, each.answer, *_times(each))
        for one in found
        for each in one.answers
    ]
    comma = "low_ or so" if tool == "boris" else "low, or so"  # BORIS has no commas in modifiers
    assert sorted(back, key=str) == sorted(
        [(*one[:2], one[2].replace("low, or so", comma), *one[3:]) for one in ANSWERS], key=str
    )
    written = str(place / "files" / "vocabulary.yaml")
    shutil.copy(written, file)
    again = go_round(place, tool, rows, given_answers, vocabulary=str(file))
    assert [one.answers for one in again] == [one.answers for one in found]


def _times(answer) -> tuple[float | None, float | None]:
    return (None, None) if answer.is_whole else (answer.start_s, answer.end_s)
