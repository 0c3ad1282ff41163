"""How good the verdicts of outputs are, by labels: everything that is measured, as plain values.

Each function that fits gets the videos of val and nothing else, each that reports those of another
split; that no participant is in both is checked before anything is fitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from itertools import combinations

import numpy as np
import pyarrow as pa

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.results.verdict import reducer_name, video_threshold
from ah_ray.study.evaluation.bootstrap import MIN_PARTICIPANTS, Bootstrap
from ah_ray.study.evaluation.contents import (
    SCHEMA_VERSION,
    Evaluation,
    Labels,
    OutputEvaluation,
    Unscored,
)
from ah_ray.study.evaluation.judged import Judged, measured
from ah_ray.study.evaluation.length_bias import length_bias
from ah_ray.study.evaluation.paired import compare
from ah_ray.study.evaluation.scored_output import ScoredOutput, check_same_content, read_output
from ah_ray.study.evaluation.slices import slices
from ah_ray.study.evaluation.timeline import timeline
from ah_ray.study.evaluation.ways import by_reducers, by_scalings, by_thresholds, curve
from ah_ray.study.labels import SPLITS, read_about, read_labelled_videos
from ah_ray.units import counted, named

FIT_ON = "val"
ALL = "all"
REPORTED = (*SPLITS, ALL)


def evaluate(
    outs: Sequence[str], labels: str, *, split: str = "test", bootstrap: Bootstrap | None = None
) -> Evaluation:
    """All measures of one output or several, on one split of a labelled manifest.

    `labels` is an output of jobs/prepare.py. Raises ConfigError if outputs or labels are none, have
    no video in common, or if a participant is in val and in the split that is reported.
    """
    bootstrap = bootstrap or Bootstrap()
    check_distinct(outs)
    table = read_labelled_videos(labels)
    reported, fitting = split_videos(table, split)
    wanted = {video["video_id"] for video in (*reported, *fitting)}
    outputs = [read_output(out, wanted) for out in outs]
    return Evaluation(
        schema_version=SCHEMA_VERSION,
        ah_ray_version=version("ah_ray"),
        bootstrap=bootstrap,
        labels=_labels(labels, table, split, reported),
        outputs=tuple(_one(output, reported, fitting, split, bootstrap) for output in outputs),
        comparisons=_comparisons(outputs, reported, bootstrap),
    )


def check_distinct(outs: Sequence[str]) -> None:
    if len({storage.normalise(out) for out in outs}) < len(outs):
        raise ConfigError("an output is named twice: there is nothing to compare it with")


def split_videos(table: pa.Table, split: str) -> tuple[list[dict], list[dict]]:
    """The videos with a label that are reported, and those of val that may be fitted to.

    The latter are none where val itself is reported. Raises ConfigError if a participant is in
    both, or if none is to be reported.
    """
    if split not in REPORTED:
        raise ConfigError(f"--split {split}: there is none of that name; {', '.join(REPORTED)}")
    videos = [video for video in table.to_pylist() if video["label"] is not None]
    reported = [video for video in videos if split in (ALL, video["split"])]
    if not reported:
        there = Counter(video["split"] for video in videos)
        held = ", ".join(f"{n} in {name}" for name, n in there.items()) or "none at all"
        raise ConfigError(f"no labelled video is in the split {split}: there are {held}")
    fitting = [v for v in videos if v["split"] == FIT_ON and split not in (ALL, FIT_ON)]
    shared = {v["participant_id"] for v in reported} & {v["participant_id"] for v in fitting}
    if shared:
        raise ConfigError(
            f"{FIT_ON} and {split} share {counted(len(shared), 'participant')} "
            f"({named(sorted(shared))}): what is fitted to them cannot be judged by them; prepare "
            "the labels anew"
        )
    return reported, fitting


def _labels(uri: str, table: pa.Table, split: str, reported: list[dict]) -> Labels:
    return Labels(
        data_fingerprint=read_about(uri)["data_fingerprint"],
        split=split,
        n_videos=len(reported),
        n_participants=len({video["participant_id"] for video in reported}),
        n_ah=sum(video["label"] for video in reported),
        n_without_label=sum(
            row["label"] is None and split in (ALL, row["split"])
            for row in table.select(["label", "split"]).to_pylist()
        ),
    )


def _one(
    output: ScoredOutput, reported: list[dict], fitting: list[dict], split: str, how: Bootstrap
) -> OutputEvaluation:
    judged, fit = output.judged(reported), output.judged(fitting).scored()
    scored = judged.scored()
    if not len(scored):
        raise ConfigError(f"{output.out} has no verdict of any labelled video of {split}")
    videos = [video for video, there in zip(reported, judged.is_scored, strict=True) if there]
    rows = [output.rows.get(video["video_id"]) for video in reported]
    n_clips = np.array([output.rows[video["video_id"]]["n_clips"] for video in videos])
    config = output.config
    threshold = video_threshold(config.reduction)
    fit = fit if fit.has_both_labels else None
    return OutputEvaluation(
        out=output.out,
        model=_joined(output, "model"),
        profile=_joined(output, "profile"),
        config_fingerprint=config.config_fingerprint,
        reducer=reducer_name(config.reduction),
        threshold=threshold,
        calibration_fingerprint=config.reduction.calibration_fingerprint,
        unscored=_unscored(output, reported),
        scored=measured(scored, how),
        counted_wrong=measured(judged.counted_wrong(), how),
        reducers=by_reducers(output, videos, fitting if fit is not None else [], n_clips, how),
        thresholds=by_thresholds(scored, fit, threshold, FIT_ON, how),
        curve=curve(scored),
        calibration=by_scalings(scored, fit, FIT_ON, how),
        slices=slices(scored, videos, how),
        length=length_bias(scored, n_clips),
        timeline=timeline(reported, rows, judged.participant, how),
        notes=tuple(_notes(scored, fit, split)),
    )


def _joined(output: ScoredOutput, name: str) -> str:
    return ", ".join(sorted({row[name] for row in output.rows.values()}))


def _unscored(output: ScoredOutput, reported: list[dict]) -> Unscored:
    reasons = [(output.reason(video["video_id"]), video["label"]) for video in reported]
    found = [(reason, label) for reason, label in reasons if reason is not None]
    return Unscored(
        n_videos=len(found),
        n_ah=sum(label for _, label in found),
        by_reason=dict(sorted(Counter(reason for reason, _ in found).items())),
    )


def _notes(scored: Judged, fit: Judged | None, split: str) -> list[str]:
    notes = []
    if scored.n_participants < MIN_PARTICIPANTS:
        notes.append(
            f"{counted(scored.n_participants, 'participant')}: too few for intervals "
            f"(under {MIN_PARTICIPANTS}), and for any conclusion"
        )
    if not scored.has_both_labels:
        notes.append("all these videos have the same label: most measures mean little")
    if split in (ALL, FIT_ON):
        notes.append(f"nothing is fitted: {FIT_ON} itself is reported here")
    elif fit is None:
        notes.append(f"nothing is fitted: {FIT_ON} has no scored videos, or not of both labels")
    elif fit.n_participants < MIN_PARTICIPANTS:
        notes.append(
            f"{FIT_ON} has {counted(fit.n_participants, 'participant')}: what is fitted to so few "
            "may not hold"
        )
    return notes


def _comparisons(outputs: Sequence[ScoredOutput], reported: list[dict], how: Bootstrap):
    pairs = list(combinations(outputs, 2))
    for a, b in pairs:
        check_same_content(a, b)
    found = (
        compare(a.judged(reported), b.judged(reported), how, names=(a.out, b.out)) for a, b in pairs
    )
    return tuple(each for each in found if each is not None)
