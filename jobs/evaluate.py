"""Say how good verdicts are, by people's labels; fit thresholds and calibrations honestly.

python jobs/evaluate.py scores --labels labels
python jobs/evaluate.py scores-a scores-b --labels labels --to comparison
python jobs/evaluate.py scores --labels labels --write-calibration calibration.json
"""

from __future__ import annotations

from typing import Annotated

import typer

from ah_ray.exit_status import ExitStatus, Job, exits

CALIBRATION = "A calibration file"

job = Job()


def option(text: str, panel: str | None = None):
    return typer.Option(help=text, rich_help_panel=panel, show_default=False)


@job.command()
@exits
def evaluate(
    outs: Annotated[
        list[str], typer.Argument(metavar="OUT", help="Outputs of score.py or reduce.py.")
    ],
    labels: Annotated[str | None, option("Output of prepare.py: the labelled manifest.")] = None,
    split: Annotated[
        str | None, option("What is reported: test (default), val, train, all.")
    ] = None,
    to: Annotated[
        str | None, option("Folder for metrics.json and metrics.parquet: OUT/evaluation.")
    ] = None,
    draws: Annotated[int | None, option("Of the bootstrap: 2000.")] = None,
    seed: Annotated[int | None, option("Of the bootstrap: 0.")] = None,
    write_calibration: Annotated[
        str | None,
        option("File for score.py and reduce.py --calibration, fitted on val.", CALIBRATION),
    ] = None,
    reducer: Annotated[str | None, option("That of OUT unless given.", CALIBRATION)] = None,
    scaling: Annotated[
        str | None, option("temperature (default), platt, none.", CALIBRATION)
    ] = None,
    threshold: Annotated[
        str | None, option("macro-f1 (default), base-rate, or a number.", CALIBRATION)
    ] = None,
) -> int:
    """Measure verdicts against labels, with intervals, and compare outputs video by video.

    Needed: OUT and --labels. What can be fitted is fitted on val, and reported on another split.
    Videos without a verdict are counted both ways: left out, and as wrong answers.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped, or storage failed.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    from rich.console import Console

    from ah_ray.study.evaluation.run import run_evaluation
    from ah_ray.study.evaluation.settings import evaluate_settings

    run_evaluation(evaluate_settings(**given), Console())
    return ExitStatus.COMPLETE


if __name__ == "__main__":
    job()
