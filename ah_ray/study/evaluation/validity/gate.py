"""Whether a new model may take the place of the one in use. Pure.

It may if its macro-F1, as its answers stand, is higher on the same videos, and the whole interval
of the paired difference lies above 0. Any doubt about that keeps the model in use.
"""

from __future__ import annotations

from collections.abc import Iterator

from ah_ray.provenance.learned_from import Use
from ah_ray.study.evaluation.schema import Evaluation, Gate
from ah_ray.units import format_count


def judge(evaluation: Evaluation) -> Gate:
    """Return the decision between two outputs: the model in use, then the new one."""
    old, new = evaluation.outputs
    comparison = evaluation.comparisons[0] if evaluation.comparisons else None
    reasons = list(_reasons(evaluation))
    return Gate(
        old=old.out,
        new=new.out,
        split=evaluation.labels.split,
        difference=None if comparison is None else comparison.macro_f1,
        is_better=not reasons,
        reasons=tuple(reasons),
    )


def _reasons(evaluation: Evaluation) -> Iterator[str]:
    """Yield what speaks against the new model; nothing if it is better."""
    old, new = evaluation.outputs
    for leak in new.leaks:
        if leak.use == Use.TRAINING:
            yield leak.sentence
    if evaluation.labels.selection is not None:
        yield f"the labels are {evaluation.labels.selection.mark}, which compare no two models"
        return
    if not evaluation.comparisons:
        yield "no labelled video has a verdict of both"
        return
    (comparison,) = evaluation.comparisons
    if n_lost := old.scored.n_videos - comparison.n_videos:
        videos = format_count(n_lost, "labelled video")
        yield f"it has no verdict of {videos} that the model in use scored"
    difference = comparison.macro_f1
    if difference.low is None:
        people = format_count(comparison.n_participants, "participant")
        yield f"there is no interval of the difference: {people}, or only one label"
    elif not difference.is_above_zero:
        yield "the interval of the difference does not lie above 0"
