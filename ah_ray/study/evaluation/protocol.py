"""What papers on BAH print: video-level figures of several seeds, on the public and private test.

Outputs are those of several seeds of one model. For each test set, each figure is the mean and the
standard deviation over the outputs, beside the value of each. The standard deviation is that of a
sample (n − 1), so one output has none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev

from rich.console import Console

from ah_ray import storage
from ah_ray.cli.screen import print_table, say
from ah_ray.provenance.learned_from import LearnedFrom
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.figures.estimate import Estimate
from ah_ray.study.evaluation.schema import Evaluation, OutputEvaluation
from ah_ray.study.evaluation.settings import EvaluateSettings
from ah_ray.study.evaluation.view.page import mark_of
from ah_ray.units import format_count

PROTOCOL_FILE = "protocol.json"
VIDEO_LEVEL = {
    "macro_f1": "macro-F1",
    "average_precision_1000": "AP (1,000 thresholds)",
    "average_precision": "AP (exact)",
    "f1_ah": "F1 of A/H",
    "f1_not_ah": "F1 of not A/H",
    "accuracy": "accuracy",
}
CLIP_LEVEL = {
    "average_precision_1000": "AP (1,000 thresholds) of clips",
    "average_precision": "AP (exact) of clips",
    "f1_s": "F1 of seconds",
    "iou": "overlap (IoU) of seconds",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolFigure:
    """One measure over the outputs of several seeds; null where it is not defined."""

    level: str  # video, or clip where segments are marked
    measure: str
    values: tuple[float | None, ...]  # one for each OUT
    mean: float | None
    sd: float | None  # null for one output


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolTest:
    """The figures on one test set."""

    name: str  # public, private
    labels: str
    split: str
    n_videos: int
    n_participants: int
    n_ah: int
    n_scored: tuple[int, ...]  # videos with a verdict, one for each OUT
    marks: tuple[str, ...]  # one for each OUT: `(of people that it knows)`, or nothing
    notes: tuple[tuple[str, ...], ...]  # of each OUT: what a reader must know
    figures: tuple[ProtocolFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolFigures:
    """The content of protocol.json."""

    protocol: str
    outs: tuple[str, ...]
    tests: tuple[ProtocolTest, ...]


def protocol_figures(
    settings: EvaluateSettings, public: Evaluation, trained_on: Sequence[LearnedFrom] = ()
) -> ProtocolFigures:
    """Return the figures of the public test, and of the private one where it has labels.

    `trained_on` is whose videos the models know, besides what their outputs record. Raise
    ConfigError as `evaluate` does.
    """
    tests = [_test_figures("public", settings.labels, public)]
    if settings.private_labels is not None:
        private = evaluate(
            settings.outs,
            settings.private_labels,
            split=public.labels.split,
            bootstrap=Bootstrap(draws=settings.draws, seed=settings.seed),
            trained_on=trained_on,
        )
        tests.append(_test_figures("private", settings.private_labels, private))
    return ProtocolFigures(protocol=settings.protocol or "", outs=settings.outs, tests=tuple(tests))


def _test_figures(name: str, labels: str, evaluation: Evaluation) -> ProtocolTest:
    outputs, about = evaluation.outputs, evaluation.labels
    figures = [
        _figure("video", text, [getattr(each.counted_wrong, field) for each in outputs])
        for field, text in VIDEO_LEVEL.items()
    ]
    if all(each.timeline is not None for each in outputs):
        figures += [
            _figure("clip", text, [_of_timeline(each, field) for each in outputs])
            for field, text in CLIP_LEVEL.items()
        ]
    return ProtocolTest(
        name=name,
        labels=labels,
        split=about.split,
        n_videos=about.n_videos,
        n_participants=about.n_participants,
        n_ah=about.n_ah or 0,
        n_scored=tuple(each.scored.n_videos for each in outputs),
        marks=tuple(mark_of(about, each.leaks).strip() for each in outputs),
        notes=tuple(each.notes for each in outputs),
        figures=tuple(figures),
    )


def _of_timeline(output: OutputEvaluation, field: str) -> Estimate:
    found = getattr(output.timeline, field)
    return found if isinstance(found, Estimate) else Estimate(value=None)


def _figure(level: str, measure: str, found: Sequence[Estimate]) -> ProtocolFigure:
    values = [each.value for each in found]
    known = [value for value in values if value is not None]
    is_complete = len(known) == len(values)
    return ProtocolFigure(
        level=level,
        measure=measure,
        values=tuple(values),
        mean=fmean(known) if is_complete else None,
        sd=stdev(known) if is_complete and len(known) > 1 else None,
    )


def write_protocol(folder: str, found: ProtocolFigures) -> None:
    """Write protocol.json. Raise StorageError."""
    text = json.dumps(asdict(found), indent=2, ensure_ascii=False, allow_nan=False)
    storage.write_whole(storage.join(folder, PROTOCOL_FILE), text.encode() + b"\n")


def print_protocol(console: Console, found: ProtocolFigures) -> None:
    """Print a table for each test set."""
    seeds = (
        f", mean ± sd over {format_count(len(found.outs), 'output')}" if len(found.outs) > 1 else ""
    )
    for test in found.tests:
        say(
            console,
            f"{test.name} test ({test.split} of {test.labels}): "
            f"{format_count(test.n_videos, 'video')} of "
            f"{format_count(test.n_participants, 'participant')}, "
            f"{test.n_ah:,} A/H{seeds}.",
        )
        missing = max(test.n_videos - n for n in test.n_scored)
        if missing:
            say(console, f"Up to {missing:,} without a verdict count as wrong answers.")
        say(console, *_notes(found.outs, test))
        marks = [mark for mark in dict.fromkeys(test.marks) if mark]
        if marks:
            say(console, "", f"{test.name} test {' '.join(marks)}")
        print_table(console, ("<level", "<measure", "value"), [_row(f) for f in test.figures])
        say(console, "")
    if len(found.tests) == 1:
        say(console, "Private test: no labels; give --private-labels FOLDER where you have them.")
    say(
        console,
        "Published figures, with metric, split and source, are in docs/evaluation.md; figures of "
        "other splits or measures are not comparable with these.",
    )


def _notes(outs: Sequence[str], test: ProtocolTest) -> Iterator[str]:
    """Yield what holds for all outputs once, and what holds for some with their names."""
    for note in dict.fromkeys(note for notes in test.notes for note in notes):
        whose = [out for out, notes in zip(outs, test.notes, strict=True) if note in notes]
        of = "" if len(whose) == len(outs) else f"{', '.join(whose)}: "
        yield f"Note: {of}{note}."


def _row(found: ProtocolFigure) -> list[str]:
    if found.mean is None:
        return [found.level, found.measure, "–"]
    spread = "" if found.sd is None else f" ± {found.sd:.3f}"
    return [found.level, found.measure, f"{found.mean:.3f}{spread}"]
