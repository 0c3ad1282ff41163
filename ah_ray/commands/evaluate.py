"""Measure verdicts against people's labels; fit thresholds and calibrations.

ah-ray evaluate scores --labels labels
ah-ray evaluate scores-a scores-b --labels labels --to comparison
ah-ray evaluate scores --labels labels --question face
ah-ray evaluate scores --labels labels --write-calibration calibration.json
ah-ray evaluate scores-new --labels labels --gate scores
"""

from __future__ import annotations

from ah_ray.cli.job import CommandLine, Given, exits
from ah_ray.exit_status import ExitStatus


@exits
def evaluate(given: Given) -> int:
    """Measure verdicts against labels, with intervals, and compare outputs video by video.

    Give OUT and --labels. Thresholds and scalings are fitted on val and baselines on train; all are
    reported on another split. Videos without a verdict are left out, and also counted as wrong.

    With --question NAME, the answers to this question of the profile are judged in place of the
    verdicts, against labels of it.

    With --gate OLD, OUT is the output of a new model, and OLD that of the one in use.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped, or storage failed, 6 not better
    (--gate).
    """
    from rich.console import Console

    from ah_ray.study.evaluation.run import run_evaluation
    from ah_ray.study.evaluation.settings import evaluate_settings

    evaluation = run_evaluation(evaluate_settings(**given), Console())
    if evaluation.gate is not None and not evaluation.gate.is_better:
        return ExitStatus.NOT_BETTER
    return ExitStatus.COMPLETE


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.study.evaluation.settings import EvaluateSettings

    return command_of(EvaluateSettings, evaluate)
