"""Cut the surest moments of an output for a reviewer, and take the answers back as labels.

python jobs/clips.py scores --top 10 --surest yes --surest no --to review
python jobs/clips.py scores --answers sheet-ab.csv sheet-cd.csv --labels-out reviewed
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from ah_ray.errors import ConfigError, shown
from ah_ray.exit_status import ExitStatus, Job, exits

CUT, BACK = "Cut moments for a reviewer", "Take answers back as labels"
SHEET = ".csv"
OF_CUTTING = ("to", "top", "surest", "show_scores")
OF_TAKING_BACK = (
    "labels_out",
    "participants",
    "plain_participants",
    "skip_faulty",
    "split",
    "seed",
)

job = Job()


def option(text: str, panel: str | None = None):
    return typer.Option(help=text, rich_help_panel=panel, show_default=False)


@job.command()
@exits
def clips(
    out: Annotated[
        list[str],
        typer.Argument(metavar="OUT", help="Output of score.py or reduce.py.", show_default=False),
    ],
    to: Annotated[str | None, option("Folder for the clips, the sheet and the page.", CUT)] = None,
    top: Annotated[int | None, option("How many moments, of each kind: 10.", CUT)] = None,
    surest: Annotated[
        list[str] | None, option("yes (default), no, doubtful; repeatable.", CUT)
    ] = None,
    show_scores: Annotated[
        bool | None, option("Show p_ah to the reviewer, who is blind without this.", CUT)
    ] = None,
    answers: Annotated[list[str] | None, option("Filled-in sheets, one or more.", BACK)] = None,
    labels_out: Annotated[
        str | None, option("Folder for the labelled manifest, as prepare.py writes it.", BACK)
    ] = None,
    participants: Annotated[
        str | None, option("CSV or Parquet with video_id, participant [, split].", BACK)
    ] = None,
    plain_participants: Annotated[
        bool | None, option("No pseudonyms: the people are invented or public.", BACK)
    ] = None,
    skip_faulty: Annotated[
        bool | None, option("Leave faulty videos out, and count them, instead of ending.", BACK)
    ] = None,
    split: Annotated[str | None, option("Shares drawn by participant: 0.7,0.1,0.2.", BACK)] = None,
    seed: Annotated[int | None, option("Of the splits: 0.", BACK)] = None,
    videos: Annotated[
        str | None, option("As score.py had it: where OUT was written with --hide-uris.")
    ] = None,
    id_key: Annotated[
        str | None, option("As score.py had it; keys the pseudonyms of participants too.")
    ] = None,
) -> int:
    """Cut the surest moments out of their videos for a reviewer, or take the answers back.

    To cut: OUT and --to. The folder has a page that plays the clips and takes Yes and No, and a
    sheet for those who prefer a table; neither names a video, nor tells what the model said.

    To take back: OUT, --answers and --labels-out. The majority of several reviewers is the label.

    Exit status: 0 complete, 2 wrong configuration or answers, 3 moments could not be cut, stopped,
    or storage failed.
    """
    given = {name: value for name, value in locals().items() if value not in (None, [], ())}
    given["out"] = _output(out)
    if sheets := [one for one in out if one.lower().endswith(SHEET)]:
        given["answers"] = [*given.get("answers", ()), *sheets]
    is_back = "answers" in given
    _check_sides(given, OF_CUTTING if is_back else OF_TAKING_BACK, is_back)
    return _take_back(given) if is_back else _cut(given)


def _output(places: list[str]) -> str:
    """The one that is no sheet: `--answers a.csv b.csv` leaves the second among the arguments."""
    outs = [one for one in places if not one.lower().endswith(SHEET)]
    if len(outs) != 1:
        raise ConfigError(f"give one OUT, an output of score.py: there are {len(outs)}")
    return outs[0]


def _check_sides(given: dict[str, Any], others: tuple[str, ...], is_back: bool) -> None:
    if wrong := [f"--{name.replace('_', '-')}" for name in others if name in given]:
        why = "is for cutting: leave it out, or leave out" if is_back else "is of no use without"
        raise ConfigError(f"{wrong[0]} {why} --answers")


def _cut(given: dict[str, Any]) -> int:
    from ah_ray.study.review.make import make_review
    from ah_ray.study.review.settings import cut_settings
    from ah_ray.study.review.view import print_review

    review = make_review(cut_settings(**given), Console(stderr=True))
    print_review(Console(), review)
    return ExitStatus.MISSING_ROWS if review.skipped else ExitStatus.COMPLETE


def _take_back(given: dict[str, Any]) -> int:
    from ah_ray.study.faults import FaultyInput
    from ah_ray.study.review.reviewed import take_back
    from ah_ray.study.review.settings import answer_settings
    from ah_ray.study.review.view import print_taken

    try:
        taken = take_back(answer_settings(**given))
    except FaultyInput as error:
        print(*(shown(str(fault)) for fault in error.faults), sep="\n", file=sys.stderr)
        raise
    for fault in taken.skipped:
        print(f"left out: {shown(str(fault))}", file=sys.stderr)
    print_taken(Console(), taken)
    return ExitStatus.COMPLETE


if __name__ == "__main__":
    job()
