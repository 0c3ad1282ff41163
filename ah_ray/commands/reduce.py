"""Form new verdicts from finished outputs: another reducer, threshold, calibration, or an ensemble.

ah-ray reduce scores --out scores-mean --reducer mean --threshold 0.6
ah-ray reduce scores-1 scores-2 scores-3 --out scores-vote
"""

from __future__ import annotations

from ah_ray.cli.job import CommandLine, Given, exits


@exits(goes_on=True)
def reduce(given: Given) -> int:
    """Form new verdicts from finished clips: no model and no video is needed.

    With one IN: another reducer or threshold; score.py can go on in OUT with these. With several,
    or one that several models scored: their verdicts, each formed with this reducer and threshold,
    are combined video by video. With vote, p_ah is the share of Yes, and a tie is a No. With mean
    and mean-logit, p_ah is the mean of the probabilities or of their logits, and the answer is Yes
    from --threshold on. A member that has no verdict of a video is left out, counted, and named in
    the row.

    A calibration holds reducer, scaling and threshold of the model whose scores it was fitted to.
    Of several models each has its own, in the order of IN.

    IN stays as it is. OUT has the same form, and only rows that would differ are written.

    Exit status: 0 complete, 2 wrong configuration, 3 rows are missing, 4 another run holds OUT.
    """
    from rich.console import Console

    from ah_ray.results.reduce import reduce_outputs
    from ah_ray.results.reduce_view import print_reduced
    from ah_ray.results.settings import reduce_settings

    settings = reduce_settings(**given)
    reduced = reduce_outputs(
        settings.inputs,
        settings.out,
        reduction=settings.reduction,
        calibrations=settings.calibration,
    )
    print_reduced(Console(), settings.out, reduced)
    return reduced.exit_status


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.results.settings import ReduceSettings

    return command_of(ReduceSettings, reduce)
