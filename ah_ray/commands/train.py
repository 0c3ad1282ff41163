"""Train Qwen3-Omni on labelled videos: LoRA, full-parameter, or from rewards.

ah-ray train --labels /labels --model /models/qwen3-omni --out /runs/lora
"""

from __future__ import annotations

from ah_ray.cli.job import CommandLine, Given, exits


@exits(goes_on=True)
def train(given: Given) -> int:
    """Train Qwen3-Omni on labelled videos.

    Give --labels, --model and --out; or --demo and --out. The same command goes on with a training
    that was interrupted.

    Exit status: 0 complete, 2 wrong configuration, 3 stopped (run it again), 4 another holds OUT.
    """
    if given.pop("demo", False):
        from ah_ray.training.demo import train_demo

        return train_demo(given)
    from ah_ray.training.settings import train_settings

    settings = train_settings(**given)
    from ah_ray.training.run import train as train_model

    return train_model(settings)


def command() -> CommandLine:
    """Return the command line of this job."""
    from ah_ray.cli.command import command_of
    from ah_ray.training.settings import TrainSettings

    return command_of(
        TrainSettings,
        train,
        switches={"demo": "Draw talking faces, and train the tiny model on them from the start."},
    )
