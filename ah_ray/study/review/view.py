"""A review as a person reads it: what was cut and how, and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console

from ah_ray.media.stream_copy import Way
from ah_ray.screen import say
from ah_ray.study.prepare.prepared import print_prepared
from ah_ray.study.review.judged_clips import Agreement, JudgedClip
from ah_ray.study.review.make import Review
from ah_ray.study.review.page import PAGE_FILE
from ah_ray.study.review.reviewed import Taken
from ah_ray.study.review.sheet import SHEET_FILE, seconds
from ah_ray.units import counted


def print_review(console: Console, review: Review) -> None:
    """One line for each moment, and what to do next."""
    say(console, *_review_lines(review))


def print_taken(console: Console, taken: Taken) -> None:
    """The labels by split, how far reviewers agree, and with the model."""
    print_prepared(console, taken.out, taken.about)
    say(console, *_taken_lines(taken))


def _review_lines(review: Review) -> Iterator[str]:
    for one in sorted(review.cut, key=lambda one: one.clip):
        yield f"{one.way:8} {one.clip}"
    for one in review.skipped:
        moment = one.moment
        span = f"{moment.video.video_id}, {seconds(moment.start_s)} – {seconds(moment.end_s)} s"
        yield f"not cut: {span}: {one.reason}"
    n_copied = sum(one.way is Way.COPIED for one in review.cut)
    counts = f"{n_copied:,} copied as they are, {len(review.cut) - n_copied:,} encoded"
    counts += f", {len(review.skipped):,} not cut" if review.skipped else ""
    yield f"{counted(len(review.cut) + len(review.skipped), 'moment')}: {counts}"
    if review.cut:
        yield (
            f"Open {review.folder}/{PAGE_FILE} to answer, or fill in {SHEET_FILE} there; then "
            "take the sheets back with --answers"
        )


def _taken_lines(taken: Taken) -> Iterator[str]:
    if n_unknown := taken.about["videos_without_label"]:
        yield (
            f"{counted(n_unknown, 'video')} without a Yes, seen only in part: their windows are "
            "labelled, and they are not as a whole"
        )
    if not taken.has_people:
        yield (
            "nobody said who is seen in the videos, so each counts as a participant of its own: "
            "if people are in several, give --participants, or test will not be of strangers"
        )
    for model in ("Yes", "No"):
        yes, no = (taken.by_model[model, said] for said in ("Yes", "No"))
        if yes + no:
            yield f"of {counted(yes + no, 'clip')} that the model answered {model}, reviewers: " \
                  f"{yes:,} Yes, {no:,} No"  # fmt: skip
    yield from _agreement_lines(taken.agreement, taken.clips)


def _agreement_lines(agreed: Agreement, clips: Iterable[JudgedClip]) -> Iterator[str]:
    if len(agreed.reviewers) < 2:
        return
    for clip in clips:
        if not clip.is_unanimous:
            said = "; ".join(f"{who} {'Yes' if y else 'No'}" for who, y in clip.answers.items())
            end = "a tie, left out" if clip.yes is None else "Yes" if clip.yes else "No"
            span = f"{clip.video_id}, {seconds(clip.start_s)} – {seconds(clip.end_s)} s"
            yield f"they differ: {span}: {said} → {end}"
    yield (
        f"{len(agreed.reviewers)} reviewers: {counted(agreed.n_shared, 'clip')} judged by more "
        f"than one, {agreed.n_unanimous:,} alike, {counted(agreed.n_ties, 'tie')} left out"
    )
    for pair in agreed.pairs:
        if pair.n_clips:
            yield (
                f"  {pair.names[0]} and {pair.names[1]}: {pair.n_same:,} of {pair.n_clips:,} "
                f"alike, Cohen's kappa {_kappa(pair.kappa)}"
            )
    if len(agreed.reviewers) > 2 and agreed.n_by_all:
        yield (
            f"  all, of the {counted(agreed.n_by_all, 'clip')} that each judged: Fleiss' kappa "
            f"{_kappa(agreed.fleiss)}"
        )


def _kappa(value: float | None) -> str:
    return "– (all the same)" if value is None else f"{value:.2f}"
