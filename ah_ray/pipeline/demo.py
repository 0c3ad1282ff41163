"""`jobs/score.py --demo`: score a small invented cohort, and print the results."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ah_ray import cluster
from ah_ray.config import score_settings
from ah_ray.errors import ConfigError
from ah_ray.escaping import escape_text
from ah_ray.exit_status import ExitStatus
from ah_ray.media.ffmpeg.demo_cohort import make_cohort, scene_answers
from ah_ray.omni.weights.checkpoint import TINY
from ah_ray.output.config import require_config
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.pipeline.reporting.summary_view import print_summary
from ah_ray.pipeline.run import score
from ah_ray.profile import YES
from ah_ray.remarks import describe_quality
from ah_ray.verdicts.further_answers import find_likeliest

Row = dict[str, Any]

FOLDER = Path("ah_ray_demo")
BAR_CELLS = 24
WHY = "tiny-why"
"""A profile that also asks what face and voice do, each by itself."""

_SECOND_LINES = """\
Beneath each clip are the answers to further questions: does the face begin to
smile, does the voice rise, and how differently the two were answered (0 to 1).
"""

_MEANING = """\
The tiny model was taught on drawn faces such as these, and knows nothing of people; give a real
checkpoint with --model."""


def run_demo(settings: dict[str, Any], console: Console | None = None) -> ExitStatus:
    """Make the cohort, score it with `tiny`, and print verdicts, a timeline and the failures.

    `settings` are those of score.py that the user gave, if any. A second call finds nothing
    pending; delete the folder to start again.
    """
    console = console or Console()
    for name in ("plan", "videos", "out", "model"):
        if settings.get(name):
            raise ConfigError(f"--demo brings its own cohort and model: leave out --{name}")
    folder = (
        FOLDER if cluster.is_permanent(str(Path.cwd())) else Path(tempfile.gettempdir()) / FOLDER
    )
    videos = folder / "cohort"
    console.print(f"Making a cohort of drawn faces in {videos}/ …", highlight=False)
    try:
        make_cohort(videos)
    except OSError as error:
        raise ConfigError(f"--demo writes to {folder}/, which failed: {error}") from None
    console.print("Scoring it: starting Ray, decoders and a replica …", highlight=False)
    mine = {"videos": str(videos), "out": str(folder / "scores"), "model": TINY, "profile": WHY}
    outcome = score(
        score_settings(**{**mine, "rescore": True, "max_failed": 1.0, **settings}), console
    )
    verdicts, clips = read_verdicts(outcome.out), read_clips(outcome.out)
    console.print()
    console.print(verdict_table(verdicts, require_config(outcome.out).construct_name))
    console.print()
    for failures_first in ("descending", "ascending"):
        order = [("n_failed_clips", failures_first), ("n_clips", "descending")]
        for line in timeline(verdicts.sort_by(order).slice(0, 1).to_pylist()[0], clips):
            console.print(line)
        console.print()
    if settings.get("profile", WHY) == WHY:
        console.print(_SECOND_LINES, highlight=False, soft_wrap=True)
    print_summary(console, outcome.out, outcome.summary, outcome.missing)
    console.print()
    console.print(accuracy(verdicts, clips), highlight=False, soft_wrap=True)
    console.print(_MEANING, highlight=False, soft_wrap=True)
    console.print(
        "Read it:  import pandas as pd; "
        f"pd.read_parquet({str(folder / 'scores' / 'verdicts.parquet')!r})",
        highlight=False,
        soft_wrap=True,
    )
    return outcome.summary.exit_status


def verdict_table(verdicts: pa.Table, construct: str) -> Table:
    """Return a table with one line per video; `construct` is what the answers are about."""
    view = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for title in ("video", "status", construct, "p_ah", "clips", "length", "remark"):
        justify: Literal["left", "right"] = (
            "right" if title in ("p_ah", "clips", "length") else "left"
        )
        view.add_column(title, justify=justify, no_wrap=True)
    for row in verdicts.sort_by("uri").to_pylist():
        p_ah, seconds = row["p_ah"], row["duration_s"]
        view.add_row(
            Text(_name(row)),
            Text(row["status"], style=_STYLES[row["status"]]),
            row["answer"] or "–",
            "–" if p_ah is None else f"{p_ah:.3f}",
            f"{row['n_clips'] - row['n_failed_clips']}/{row['n_clips']}",
            "–" if seconds is None else f"{seconds:.0f} s",
            _remark(row),
        )
    return view


_STYLES = {"ok": "green", "partial": "yellow", "failed": "red"}


def accuracy(verdicts: pa.Table, clips: pa.Table) -> str:
    """Return how many clips of plain recordings got the answer that they were drawn with."""
    drawn = {
        row["video_id"]: scene_answers("/".join(Path(row["uri"]).parts[-2:]))
        for row in verdicts.to_pylist()
        if row["uri"] is not None
    }
    right = [
        (clip["answer"] == YES) is drawn[clip["video_id"]][clip["clip_index"]]
        for clip in clips.to_pylist()
        if clip["answer"] is not None and drawn.get(clip["video_id"])
    ]
    if not right:
        return "No clip of a plain recording was scored."
    return (
        f"A/H was drawn as a face and a voice that disagree: {sum(right)} of {len(right)} clips of "
        "plain recordings, which the model never saw, got the answer they were drawn with."
    )


def timeline(row: Row, clips: pa.Table) -> list[Text]:
    """Return a line for each clip of one video, with a bar for p_ah.

    A second line has the answers to further questions, where any were asked.
    """
    lines = [Text(f"Timeline of {_name(row)}", style="bold")]
    for clip in clips.filter(pc.equal(clips["video_id"], row["video_id"])).to_pylist():
        span = f"{clip['start_s']:6.1f} – {clip['end_s']:4.1f} s  "
        if clip["p_ah"] is None:
            lines.append(Text(span).append(f"not scored: {clip['error_kind']}", style="yellow"))
            continue
        filled = round(clip["p_ah"] * BAR_CELLS)
        bar = "█" * filled + "·" * (BAR_CELLS - filled)
        lines.append(Text(f"{span}{bar}  {clip['p_ah']:.3f}  {clip['answer']}"))
        if clip["answers"]:
            lines.append(Text(" " * len(span) + _describe_answers(clip), style="dim"))
    return lines


def _describe_answers(clip: Row) -> str:
    """Return the likeliest answer to each further question about a clip, and its contrasts."""
    _, *further = find_likeliest(clip["answers"]).items()
    parts = [f"{question} {answer} {p:.3f}" for question, (answer, p) in further]
    parts += [f"{one['contrast']} {one['distance']:.3f}" for one in clip["contrasts"] or ()]
    return " · ".join(parts)


def _name(row: Row) -> str:
    if row["uri"] is None:
        return str(row["video_id"])
    return escape_text("/".join(Path(row["uri"]).parts[-2:]))


def _remark(row: Row) -> str:
    return ", ".join([*([row["error_kind"]] if row["error_kind"] else []), *describe_quality(row)])
