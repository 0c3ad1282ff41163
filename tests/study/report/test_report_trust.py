"""How far a report says that it can be trusted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest
from invented_rows import make_output, row
from study.invented_study import make_scores, make_study

from ah_ray.config import Reduction
from ah_ray.errors import ErrorKind
from ah_ray.records import VERDICT, VERDICTS
from ah_ray.results.calibration import write_calibration
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.schema import Evaluation
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, read_about, write_labels
from ah_ray.study.report.make import make_report
from ah_ray.study.report.settings import ReportSettings
from ah_ray.study.report.trust import Figure, Headline, headline, length_bias


def evaluation_of(folder: Path, *, knows: float = 1.0, split: str = "test") -> Evaluation:
    study = make_study(folder / "labels", {"train": 20, "val": 20, "test": 20})
    out = make_scores(folder / "scores", study, knows=knows)
    return evaluate([out], study.labels, split=split, bootstrap=Bootstrap(draws=100))


def test_the_headline_is_macro_f1_with_its_interval(tmp_path):
    evaluation = evaluation_of(tmp_path)
    found = headline(evaluation)
    scored = evaluation.outputs[0].scored
    assert found.macro_f1.value == scored.macro_f1.value
    assert (found.macro_f1.low, found.macro_f1.high) == (scored.macro_f1.low, scored.macro_f1.high)
    assert (found.n_videos, found.n_participants) == (scored.n_videos, 20)
    assert found.baseline_macro_f1.value is not None
    assert found.baseline_macro_f1.value < found.macro_f1.value
    assert "better" in found.verdict
    assert found.marks == ()


def test_a_model_that_knows_nothing_shows_no_gain(tmp_path):
    found = headline(evaluation_of(tmp_path, knows=0.0))
    assert "better" not in found.verdict or found.gain is None


def test_a_split_that_may_have_been_chosen_on_is_marked(tmp_path):
    assert "not test" in headline(evaluation_of(tmp_path, split="val")).marks[0]


HEAD = Headline(
    split="test",
    n_videos=100,
    n_participants=40,
    macro_f1=Figure(value=0.7, low=0.6, high=0.8),
    baseline="the question and the length of the video",
    baseline_macro_f1=Figure(value=0.66),
    gain=Figure(value=0.04, low=-0.02, high=0.1),
    marks=(),
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "No gain over that baseline is shown."),
        ({"gain": Figure(value=0.1, low=0.02, high=0.2)}, "are better than that baseline"),
        ({"macro_f1": Figure(value=0.9, too_few=True)}, "too few people"),
        ({"macro_f1": Figure(value=None)}, "There is no figure"),
        ({"gain": None}, "No gain over that baseline is shown."),
        ({"gain": None, "baseline_macro_f1": Figure(value=0.3)}, "may reach more"),
    ],
)
def test_the_sentence_follows_from_the_figures(changes, expected):
    assert expected in replace(HEAD, **changes).verdict


@dataclass(frozen=True, kw_only=True)
class Later:
    """An evaluation whose fields are those of a later version."""

    labels: dict
    outputs: tuple[dict, ...]


def test_the_best_baseline_and_the_gain_over_it(tmp_path):
    whole = asdict(evaluation_of(tmp_path))
    figure = {"value": 0.66, "low": 0.61, "high": 0.71, "too_few": False}
    gain = {"value": 0.05, "low": -0.01, "high": 0.11, "too_few": False}
    baselines = {
        "each": [
            {"name": "majority", "measures": {"macro_f1": figure | {"value": 0.36}}},
            {"name": "question + length", "measures": {"macro_f1": figure}},
        ],
        "best": "question + length",
        "gain": {"macro_f1": gain},
    }
    output = whole["outputs"][0] | {"baselines": baselines}
    found = headline(Later(labels=whole["labels"], outputs=(output,)))
    assert found.baseline == "the question and the length of the video"
    assert found.baseline_macro_f1 == Figure(value=0.66, low=0.61, high=0.71)
    assert found.gain == Figure(value=0.05, low=-0.01, high=0.11)
    assert found.verdict == "No gain over that baseline is shown."


def test_known_people_and_selected_moments_are_marked(tmp_path):
    whole = asdict(evaluation_of(tmp_path))
    leak = {"by": "calibration 0123", "n_participants": 12, "use": "calibration", "split": "val"}
    later = Later(
        labels=whole["labels"] | {"selection": {"kind": "moments"}, "participants_known": False},
        outputs=(whole["outputs"][0] | {"leaks": (leak,)},),
    )
    marks = headline(later).marks
    assert "the calibration 0123 learned from 12 of these participants" in marks[0]
    assert "Of selected moments" in marks[1]
    assert "each video counts as a person" in marks[2]


def table(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=VERDICT).select(VERDICTS.names)


def test_the_share_of_yes_by_number_of_clips():
    rows = [row(f"a{n}", [0.9 if n < 2 else 0.1]) for n in range(8)]
    rows += [row(f"b{n}", [0.1, 0.2, 0.9 if n < 3 else 0.3]) for n in range(4)]
    rows += [row("c", [0.2] * 19 + [0.8]), row("d", ErrorKind.DECODE)]
    found = length_bias(table(*rows))
    assert [(band.name, band.n_yes, band.n) for band in found.bands] == [
        ("1 clip", 2, 8),
        ("3–4 clips", 3, 4),
        ("17 or more clips", 1, 1),
    ]
    assert found.rank_correlation is not None and found.rank_correlation > 0.5
    assert length_bias(table(row("d", ErrorKind.DECODE))).bands == ()


def text_of(file: str) -> str:
    return " ".join(Path(file).read_text(encoding="utf-8").split())


def test_without_labels_the_first_screen_says_so_and_shows_length(tmp_path):
    out = str(tmp_path / "scores")
    make_output(out, {"a": [0.9], "b": [0.2, 0.3, 0.1], "c": [0.1], "d": [0.3, 0.2, 0.9, 0.8]})
    text = text_of(make_report(ReportSettings(out=out)).file)
    first_screen = text.split('<dl class="figures">')[0]
    assert "Not validated here." in first_screen
    assert "3–4 clips" in first_screen and "1 of 2" in first_screen


def test_with_labels_the_first_screen_has_the_headline(tmp_path):
    study = make_study(tmp_path / "labels", {"train": 20, "val": 20, "test": 20})
    out = make_scores(tmp_path / "scores", study)
    text = text_of(make_report(ReportSettings(out=out, labels=study.labels, draws=100)).file)
    first_screen = text.split('<dl class="figures">')[0]
    assert "Not validated here." not in first_screen
    assert "macro-F1 on" in first_screen and "of 20 participants" in first_screen


def page_of(folder: Path, labels: str, rows: dict, **settings) -> str:
    make_output(str(folder / "scores"), rows)
    file = folder / "report.html"
    make_report(ReportSettings(out=str(folder / "scores"), labels=labels, to=str(file), **settings))
    return file.read_text(encoding="utf-8")


def relabelled(folder: Path, change) -> tuple[str, dict]:
    """Labels whose rows `change` has changed, and the scores of one clip of each video."""
    study = make_study(folder / "labels", {"val": 12, "test": 20})
    videos = [change(video) for video in study.videos]
    table = pa.Table.from_pylist(videos, schema=LABELLED_VIDEOS)
    write_labels(study.labels, WINDOWS.empty_table(), table, read_about(study.labels))
    return study.labels, {video["video_id"]: [0.4, 0.7] for video in study.videos}


def test_labels_of_one_kind_make_a_page_that_says_so(tmp_path):
    labels, rows = relabelled(tmp_path, lambda v: v | {"label": 0, "segments": []})
    page = page_of(tmp_path, labels, rows)
    assert "All these videos have the same label, so there is no telling whether" in page
    assert "When in the video" not in page


def test_labels_of_a_draw_make_a_page_without_empty_tables(tmp_path):
    drawn = {"selection": "drawn:abc:Yes", "weight": 3.0}
    labels, rows = relabelled(tmp_path, lambda v: v | drawn | {"split": "test"})
    page = page_of(tmp_path, labels, rows)
    assert "The videos were drawn from the cohort: the figures above are weighted" in page
    assert "Left out, since they have no weighted figures: groups, reducers" in page
    for head in ("<h3>Reducers</h3>", "<h3>Thresholds</h3>", "<h3>Calibration</h3>"):
        assert head not in page


def test_a_calibrated_page_on_the_people_it_was_fitted_to_is_marked(tmp_path):
    study = make_study(tmp_path / "labels", {"val": 12, "test": 12})
    scores, file = make_scores(tmp_path / "scores", study), str(tmp_path / "calibration.json")
    write_calibration(file, fit_calibration(scores, study.labels))
    out = str(tmp_path / "fitted")
    reduce_outputs([scores], out, reduction=Reduction(), calibrations=[file])

    def first_screen(split: str) -> str:
        to = str(tmp_path / f"{split}.html")
        make_report(ReportSettings(out=out, labels=study.labels, split=split, to=to))
        page = Path(to).read_text(encoding="utf-8")
        return page[page.index('id="trust"') :].split("</div>")[0]

    assert "learned from 12 of these participants" in first_screen("val")
    assert 'class="warning"' not in first_screen("test")
