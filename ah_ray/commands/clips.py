"""Cut videos or moments of an output for a reviewer, and take the answers back as labels.

ah-ray clips scores --draw 60 --to review
ah-ray clips scores --top 10 --surest yes --surest no --to review
ah-ray clips scores --top 40 --doubtful --diverse --answered labels --to review
ah-ray clips scores --answers sheet-ab.csv sheet-cd.csv --labels-out reviewed
"""

from __future__ import annotations

from ah_ray.cli.job import CommandLine, Given, exits, print_faults
from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus


@exits
def clips(given: Given) -> int:
    """Cut videos or moments for a reviewer, or take the answers back.

    To cut: OUT and --to. The folder has a page that plays the clips and takes answers, and a sheet
    for those who prefer a table. Neither names a video or shows the model's answer. Videos that are
    drawn at random (--draw) tell how good the verdicts are; the surest moments do not, nor do
    clips that are chosen for a training (--doubtful, --diverse).

    To take back: OUT, --answers and --labels-out. The majority of several reviewers is the label.

    Exit status: 0 complete, 2 wrong configuration or answers, 3 moments could not be cut, stopped,
    or storage failed.
    """
    from ah_ray.study.review.settings import AnswerSettings, CutSettings

    out, sheets = _split_places(given["out"])
    given["out"] = out
    if sheets:
        given["answers"] = [*given.get("answers", ()), *sheets]
    takes_back = "answers" in given
    own, other = (AnswerSettings, CutSettings) if takes_back else (CutSettings, AnswerSettings)
    drawn = {"draw", "doubtful", "diverse"} & given.keys()
    if not takes_back and "seed" in given and not drawn:
        raise ConfigError("--seed is of no use without --answers, --draw, --doubtful or --diverse")
    if wrong := [name for name in given if name in other.model_fields.keys() - own.model_fields]:
        why = "is for cutting: leave it out, or leave out" if takes_back else "is of no use without"
        raise ConfigError(f"--{wrong[0].replace('_', '-')} {why} --answers")
    return _take_back(given) if takes_back else _cut(given)


def _split_places(places: list[str]) -> tuple[str, list[str]]:
    """Return OUT and the sheets: `--answers a.csv b.csv` leaves the second among the arguments."""
    sheets = [place for place in places if place.lower().endswith(".csv")]
    outs = [place for place in places if place not in sheets]
    if len(outs) != 1:
        raise ConfigError(f"give one OUT, an output of score.py: there are {len(outs)}")
    return outs[0], sheets


def _cut(given: Given) -> int:
    from rich.console import Console

    from ah_ray.study.review.make import make_review
    from ah_ray.study.review.settings import cut_settings
    from ah_ray.study.review.view import print_review

    review = make_review(cut_settings(**given), Console(stderr=True))
    print_review(Console(), review)
    return ExitStatus.MISSING_ROWS if review.skipped else ExitStatus.COMPLETE


def _take_back(given: Given) -> int:
    from rich.console import Console

    from ah_ray.study.label_errors import FaultyInput
    from ah_ray.study.review.reviewed import take_back
    from ah_ray.study.review.settings import answer_settings
    from ah_ray.study.review.view import print_taken

    try:
        taken = take_back(answer_settings(**given))
    except FaultyInput as error:
        print_faults(error.faults)
        raise
    print_faults(taken.skipped, "left out: ")
    print_taken(Console(), taken)
    return ExitStatus.COMPLETE


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.study.review.settings import AnswerSettings, CutSettings

    return command_of([CutSettings, AnswerSettings], clips)
