"""The columns of a labelled manifest that say who annotated a video, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from ah_ray.cohort.participant_names import pseudonym
from ah_ray.study.agreement import cohens_kappa, fleiss_kappa
from ah_ray.study.labelled_manifest import CUES
from ah_ray.study.labelled_video import Annotated, LabelledVideo


def annotation_columns(video: LabelledVideo, id_key: bytes | None) -> dict[str, Any]:
    """Return annotators, certainty, cues, marks and transcript; null where nothing is known."""
    transcript = video.transcript
    columns: dict[str, Any] = {
        "transcript": None if transcript is None else [asdict(one) for one in transcript]
    }
    if not video.annotations:
        return columns
    marks: list[dict[str, Any]] = [
        {
            "annotator": _annotator(annotated, id_key),
            "start_s": one.start_s,
            "end_s": one.end_s,
            "certainty": one.certainty,
            "cues": [{"cue": cue, "text": text} for cue, text in one.cues],
        }
        for annotated in video.annotations
        for one in annotated.intervals
    ]
    found = {cue["cue"] for mark in marks for cue in mark["cues"]}
    names = {_annotator(annotated, id_key) for annotated in video.annotations}
    return {
        **columns,
        "annotators": sorted(name for name in names if name is not None),
        "cues": [cue for cue in CUES if cue in found],
        "marks": marks,
    }


def _annotator(annotated: Annotated, id_key: bytes | None) -> str | None:
    """Return the annotator's pseudonym, which is not that of a participant of the same name."""
    if annotated.annotator is None or id_key is None:
        return annotated.annotator
    return pseudonym(f"annotator\0{annotated.annotator}", id_key)


def annotator_agreement(
    timed: Sequence[tuple[LabelledVideo, float]],
) -> dict[str, Any] | None:
    """Return how far annotators agree on videos that several of them labelled, without names.

    Return None where no video has two annotators. Cohen's kappa is of each two of them, over the
    videos of both; Fleiss' is of the videos that the most annotators labelled, if these are three
    or more.
    """
    given = [
        {one.annotator or "": one.label == 1 for one in video.annotations} for video, _ in timed
    ]
    shared = [labels for labels in given if len(labels) > 1]
    if not shared:
        return None
    names = sorted({name for labels in shared for name in labels})
    pairs = []
    for first, second in combinations(names, 2):
        both = [(each[first], each[second]) for each in shared if {first, second} <= each.keys()]
        if both:
            a, b = zip(*both, strict=True)
            same = sum(x == y for x, y in both)
            pairs.append({"videos": len(both), "same": same, "kappa": cohens_kappa(a, b)})
    most = max(map(len, shared))
    n_yes = [sum(labels.values()) for labels in shared if len(labels) == most]
    return {
        "annotators": len(names),
        "videos_of_several": len(shared),
        "unanimous": sum(len(set(labels.values())) == 1 for labels in shared),
        "pairs": pairs,
        "fleiss_kappa": fleiss_kappa(n_yes, most) if most > 2 else None,
    }
