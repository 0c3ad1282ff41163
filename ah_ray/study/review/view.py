"""A review in the terminal: what was cut, and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console

from ah_ray.cli.screen import say
from ah_ray.media.ffmpeg.stream_copy import Way
from ah_ray.profile import NO, YES, answer_word
from ah_ray.study.evaluation.view.text import format_estimate
from ah_ray.study.prepare.prepared import print_prepared
from ah_ray.study.review.choosing.choose import Choice
from ah_ray.study.review.draw_record import DrawRecord
from ah_ray.study.review.judged_clips import Agreement, JudgedClip
from ah_ray.study.review.make import Review
from ah_ray.study.review.page import PAGE_FILE
from ah_ray.study.review.reviewed import Taken
from ah_ray.study.review.sheet import SHEET_FILE, seconds
from ah_ray.units import format_count


def print_review(console: Console, review: Review) -> None:
    """Print one line for each moment, how videos were drawn, and what to do next."""
    say(console, *_review_lines(review))


def print_taken(console: Console, taken: Taken) -> None:
    """Print the labels by split, how far reviewers agree, and how often they confirm the model."""
    print_prepared(console, taken.out, taken.about)
    say(console, *_taken_lines(taken))


def _review_lines(review: Review) -> Iterator[str]:
    for one in sorted(review.cut, key=lambda one: one.clip):
        yield f"{one.way:8} {one.clip}"
    for skipped in review.skipped:
        moment = skipped.moment
        span = f"{moment.video.video_id}, {seconds(moment.start_s)} – {seconds(moment.end_s)} s"
        yield f"not cut: {span}: {skipped.reason}"
    n_copied = sum(one.way is Way.COPIED for one in review.cut)
    counts = f"{n_copied:,} copied as they are, {len(review.cut) - n_copied:,} encoded"
    counts += f", {len(review.skipped):,} not cut" if review.skipped else ""
    yield f"{format_count(len(review.cut) + len(review.skipped), 'moment')}: {counts}"
    if review.draw is not None:
        yield from _draw_lines(review.draw, len(review.skipped))
    if review.choice is not None:
        yield from _choice_lines(review.choice)
    if review.cut:
        yield (
            f"Open {review.folder}/{PAGE_FILE} to answer, or fill in {SHEET_FILE} there; then "
            "take the sheets back with --answers"
        )


def _draw_lines(draw: DrawRecord, n_skipped: int) -> Iterator[str]:
    strata = ", ".join(f"{one.n_drawn:,} of {one.n_cohort:,} ({one.name})" for one in draw.strata)
    yield f"Draw {draw.draw}: {draw.unit}s at random, {strata}; seed {draw.seed}"
    if draw.n_without_score:
        yield f"{format_count(draw.n_without_score, 'video')} without a verdict cannot be drawn"
    if n_skipped:
        yield (
            f"{format_count(n_skipped, 'drawn video')} could not be cut: the figures then rest "
            "on the "
            "others alone"
        )


def _choice_lines(choice: Choice) -> Iterator[str]:
    left_out = [
        f"{n:,} {why}"
        for n, why in (
            (choice.n_judged, "judged before"),
            (choice.n_held_out, "of people in val or test"),
        )
        if n
    ]
    n_left = choice.n_clips - choice.n_judged - choice.n_held_out
    pool = f"{n_left:,} of {format_count(choice.n_clips, 'clip')}" if left_out else (
        format_count(choice.n_clips, "clip")
    )  # fmt: skip
    why = f" (without {' and '.join(left_out)})" if left_out else ""
    whose = "participant" if choice.people_known else "video"
    yield (
        f"Chosen from {pool}{why}: {format_count(len(choice.moments), 'clip')} of "
        f"{format_count(choice.n_people, whose)}"
    )
    if choice.by_doubt:
        how = "calibrated" if choice.is_calibrated else "not calibrated (--calibration)"
        models = f", {choice.n_models} models" if choice.n_models > 1 else ""
        yield (
            f"Doubt from {max(choice.doubt):.2f} to {min(choice.doubt):.2f}, where 1 is most; "
            f"probabilities {how}{models}"
        )
    if choice.is_diverse and not choice.people_known:
        yield "The participants are unknown, so each video counts as a person of its own"
    if choice.n_without_embedding:
        yield (
            f"{format_count(choice.n_without_embedding, 'clip')} without an embedding could not be "
            "chosen: score them with --keep-embeddings"
        )
    yield "Labels of chosen clips are for training: no figure follows from them"


def _taken_lines(taken: Taken) -> Iterator[str]:
    if n_unknown := taken.about["videos_without_label"]:
        yield (
            f"{format_count(n_unknown, 'video')} without a Yes, seen only in part: their windows "
            "have "
            "labels, but the videos have none"
        )
    yield from _unanswered_lines(taken.about["answers"])
    if not taken.has_people:
        yield (
            "the participants are unknown, so each video counts as a person of its own: if people "
            "are in several, give --participants, or test will not be of strangers"
        )
    yield from _selection_lines(taken)
    for model in (YES, NO):
        yes, no = (taken.by_model[model, said] for said in (YES, NO))
        if yes + no:
            answered = f"of {format_count(yes + no, 'clip')} that the model answered {model}"
            yield f"{answered}, reviewers: {yes:,} Yes, {no:,} No"
    yield from _agreement_lines(taken.agreement, taken.clips)


def _unanswered_lines(answers: Mapping[str, int]) -> Iterator[str]:
    words = {
        "cannot_tell": "answered Cannot tell",
        "seen_without_answer": "seen and not answered",
        "not_seen": "not seen",
        "without_answer": "without an answer",
    }
    if found := [f"{answers[name]:,} {text}" for name, text in words.items() if answers[name]]:
        yield f"rows that are no label: {', '.join(found)}"


def _selection_lines(taken: Taken) -> Iterator[str]:
    draw = taken.about["draw"]
    if draw is None:
        return
    strata = ", ".join(
        f"{one['judged']:,} of {one['drawn']:,} drawn from {one['cohort']:,} ({one['name']})"
        for one in draw["strata"]
    )
    yield f"labels of draw {draw['draw']}: {strata}"
    if taken.drawn_clips is not None:
        figures = ", ".join(
            f"{name.replace('_', ' ')} {format_estimate(found)}"
            for name, found in taken.drawn_clips.items()
        )
        yield f"answers of the model about all clips, from those that were drawn: {figures}"


def _agreement_lines(agreed: Agreement, clips: Iterable[JudgedClip]) -> Iterator[str]:
    if len(agreed.reviewers) < 2:
        return
    for clip in clips:
        if not clip.is_unanimous:
            said = "; ".join(f"{who} {answer_word(y)}" for who, y in clip.answers.items())
            end = "a tie, left out" if clip.yes is None else answer_word(clip.yes)
            span = f"{clip.video_id}, {seconds(clip.start_s)} – {seconds(clip.end_s)} s"
            yield f"they differ: {span}: {said} → {end}"
    yield (
        f"{len(agreed.reviewers)} reviewers: {format_count(agreed.n_shared, 'clip')} judged by "
        f"more than one, {agreed.n_unanimous:,} alike, "
        f"{format_count(agreed.n_ties, 'tie')} left out"
    )
    for pair in agreed.pairs:
        if pair.n_clips:
            yield (
                f"  {pair.names[0]} and {pair.names[1]}: {pair.n_same:,} of {pair.n_clips:,} "
                f"alike, Cohen's kappa {_kappa(pair.kappa)}"
            )
    if len(agreed.reviewers) > 2 and agreed.n_by_all:
        yield (
            f"  all, of the {format_count(agreed.n_by_all, 'clip')} that each judged: Fleiss' "
            f"kappa {_kappa(agreed.fleiss)}"
        )


def _kappa(value: float | None) -> str:
    return "– (all the same)" if value is None else f"{value:.2f}"
