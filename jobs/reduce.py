"""Form new verdicts from finished outputs: another reducer, threshold, calibration, or an ensemble.

python jobs/reduce.py scores --out scores-mean --reducer mean --threshold 0.6
python jobs/reduce.py scores-1 scores-2 scores-3 --out scores-vote
"""

from __future__ import annotations

from typing import Annotated

import typer

from ah_ray.exit_status import Job, exits

job = Job()


def option(text: str, **limits: float):
    return typer.Option(help=text, show_default=False, **limits)


@job.command()
@exits(goes_on=True)
def reduce(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN", help="Finished outputs of score.py.")
    ],
    out: Annotated[str, typer.Option(help="Where the new output goes: not one of IN.")],
    reducer: Annotated[
        str | None,
        option("any (default), mean, topk3 (any k), noisyor, share, duration."),
    ] = None,
    threshold: Annotated[float | None, option("Yes from this p_ah on: 0.5.", min=0, max=1)] = None,
    ensemble: Annotated[
        str | None,
        option("For several IN, or models in one: vote (default), mean, mean-logit."),
    ] = None,
    calibration: Annotated[
        list[str] | None,
        option("File of evaluate.py, in place of reducer and threshold; one for each model."),
    ] = None,
) -> int:
    """Form new verdicts from finished clips: no model, no video.

    One IN: another reducer or threshold; score.py can go on in OUT with these. Several, or one that
    several models scored: their verdicts, each formed with this reducer and threshold, are combined
    video by video. `vote`: p_ah is the share of Yes, and a tie is a No. `mean`, `mean-logit`: p_ah
    is the mean of the probabilities, or of their logits, and Yes from --threshold on. A member that
    has no verdict of a video is left out, counted, and named in the row.

    A calibration says reducer, scaling and threshold of the model whose scores it was fitted to; of
    several models each has its own, in the order of IN.

    IN stays as it is; OUT is in the same form, and only rows that would differ are written.

    Exit status: 0 complete, 2 wrong configuration, 3 rows are missing, 4 another run holds OUT.
    """
    given = {"reducer": reducer, "threshold": threshold, "ensemble": ensemble}
    from rich.console import Console

    from ah_ray.reduction import Reduction
    from ah_ray.results.reduce import reduce_outputs
    from ah_ray.results.reduce_view import print_reduced
    from ah_ray.validation import validated

    wanted = {name: value for name, value in given.items() if value is not None}
    reduction = validated(Reduction, wanted, "IN and --out")
    reduced = reduce_outputs(inputs, out, reduction=reduction, calibrations=calibration or ())
    print_reduced(Console(), out, reduced)
    return reduced.exit_status


if __name__ == "__main__":
    job()
