"""The closing words of a run: what was done, what failed, what to do about it, what lies where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.text import Text

from ah_ray.cli.screen import say
from ah_ray.errors import ErrorKind
from ah_ray.escaping import escape_text
from ah_ray.exit_status import ExitStatus
from ah_ray.output.read import has_answers, read_verdicts
from ah_ray.output.row_files import EMBEDDINGS_FOLDER
from ah_ray.output.runs import RunSummary
from ah_ray.remarks import Remark
from ah_ray.units import format_clock, format_count

EXAMPLES = 3
_MEANING = {
    ExitStatus.COMPLETE: "complete",
    ExitStatus.MISSING_ROWS: "rows are missing: the same command goes on from here",
    ExitStatus.TOO_MANY_FAILED: "complete, but more videos failed than --max-failed allows",
}


def print_summary(console: Console, out: str, summary: RunSummary, missing: dict[str, str]) -> None:
    """Print the outcome of a run, one screen at most."""
    for text in _lines(out, summary):
        say(console, text)
    counts = summary.counts
    if counts and (counts.failed_by_kind or counts.partial_by_kind):
        verdicts = read_verdicts(out, ["video_id", "uri", "status", "error_kind", "error"])
        console.print()
        console.print("Failed or partial, by kind", style="bold")
        for line in _failures(verdicts):
            console.print(line, soft_wrap=True, highlight=False)
    if counts and counts.by_remark:
        console.print()
        console.print("Scored, with a remark", style="bold")
        for remark, n in sorted(counts.by_remark.items(), key=lambda pair: -pair[1]):
            say(console, f"{n:>6,} {remark} – {_sentence(remark)}")
    for reason, n in _grouped(missing):
        say(console, f"{n:,} without a row: {reason}")
    console.print()
    meaning = _MEANING[summary.exit_status]
    console.print(f"Exit status {int(summary.exit_status)}: {meaning}.", highlight=False)


def _lines(out: str, summary: RunSummary) -> Iterator[str]:
    counts = summary.counts
    if counts is None:
        yield f"Cohort    {format_count(sum(summary.plan.values()), 'video')}; the tables failed"
    else:
        status = counts.by_status
        yield (
            f"Cohort    {format_count(counts.videos, 'video')}: {status.get('ok', 0):,} ok, "
            f"{status.get('partial', 0):,} partial, {status.get('failed', 0):,} failed"
            + (f", {counts.missing:,} without a row" if counts.missing else "")
        )
    if summary.videos_done:
        rate = summary.clips_scored / summary.wall_s
        hours = summary.video_s / summary.wall_s
        yield (
            f"This run  {format_count(summary.videos_done, 'video')}, "
            f"{format_count(summary.clips_scored, 'clip')} in "
            f"{format_clock(summary.wall_s)}: {rate:.1f} clips/s, "
            f"{hours:.1f} hours of video per hour"
        )
    elif summary.trouble or counts is None or counts.missing:
        yield f"This run  no video was completed in {format_clock(summary.wall_s)}"
    else:
        yield f"This run  nothing was pending ({format_clock(summary.wall_s)})"
    if summary.plan.get("put off"):
        yield f"Put off   {format_count(summary.plan['put off'], 'video')} by --limit"
    if summary.ignored_endings:
        most = sorted(summary.ignored_endings.items(), key=lambda pair: -pair[1])
        yield "Ignored   " + ", ".join(f"{n:,} {ending}" for ending, n in most[:8]) + " (no video)"
    if summary.difference_from_bf16:
        yield f"fp8       beside bf16, {summary.difference_from_bf16}"
    if summary.trouble:
        yield f"Trouble   {summary.trouble}"
    yield f"Tables    {out}/verdicts.parquet"
    yield f"          {out}/clips.parquet"
    if has_answers(out):
        yield f"          {out}/answers.parquet"
    if summary.settings.get("keep_embeddings"):
        yield f"          {out}/{EMBEDDINGS_FOLDER}/"
    yield f"Run       {out}/runs/{summary.run_id}.json"


def _failures(verdicts: pa.Table) -> Iterator[Text]:
    """Failed and partial videos by kind: how many, what to do, and some of them."""
    bad = verdicts.filter(pc.is_valid(verdicts["error_kind"]))
    kinds = pc.value_counts(bad["error_kind"]).to_pylist()
    for kind, n in sorted(((e["values"], e["counts"]) for e in kinds), key=lambda pair: -pair[1]):
        yield Text(f"{n:>6,} {kind}", style="bold").append(
            f" – {ErrorKind(kind).remedy}", style="not bold"
        )
        rows = bad.filter(pc.equal(bad["error_kind"], kind))
        for row in rows.slice(0, EXAMPLES).to_pylist():
            yield Text(escape_text(f"       {_name(row)}: {row['error']}"), style="dim")
        if n > EXAMPLES:
            yield Text(f"       … and {n - EXAMPLES:,} more", style="dim")


def _sentence(remark: str) -> str:
    return Remark(remark).sentence if remark in set(Remark) else "a newer ah_ray knows it"


def _name(row: Mapping[str, str | None]) -> str:
    return row["uri"].rsplit("/", 1)[-1] if row["uri"] else str(row["video_id"])


def _grouped(missing: dict[str, str]) -> list[tuple[str, int]]:
    by_reason: dict[str, int] = {}
    for reason in missing.values():
        by_reason[reason] = by_reason.get(reason, 0) + 1
    return sorted(by_reason.items(), key=lambda pair: -pair[1])[:5]
