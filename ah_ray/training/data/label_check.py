"""Check that labels can be learned from, before a machine is requested."""

from __future__ import annotations

from collections.abc import Sequence

from ah_ray.errors import ConfigError
from ah_ray.profile import NO, YES, Profile, answer_word
from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.data.questions import check_question
from ah_ray.training.data.sampler import Order
from ah_ray.training.settings import Balance, TrainSettings


def check_labels(
    settings: TrainSettings,
    train: Sequence[LabelledWindow],
    val: Sequence[LabelledWindow],
) -> None:
    """Raise ConfigError if `train` is empty or has one label, or if a question is not complete.

    The label that counts is that of the question itself; where every window asks a simpler
    question, it is that of all windows.
    """
    where = f"--labels {settings.labels}"
    if not train:
        raise ConfigError(f"{where}: no window of the split `train`")
    for question in dict.fromkeys(row.question for row in (*train, *val)):
        if question is not None:
            try:
                check_question(question)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from None
    asked = [row for row in train if row.question is None] or list(train)
    if len({row.label for row in asked}) == 1:
        answer = answer_word(asked[0].label)
        raise ConfigError(
            f"{where}: all {len(asked):,} windows of the split `train` are labelled {answer}, from "
            "which a model learns to say nothing else; prepare labels with windows of both answers"
        )


def check_answers(profile: Profile) -> None:
    """Raise ConfigError if a label, which is Yes or No, is no answer to the first question."""
    first = profile.complete_questions[0]
    if set(first.answers) != {YES, NO} or first.positive != YES:
        raise ConfigError(
            f"profile {profile.name}: its first question, {first.name}, is answered with "
            f"{', '.join(first.answers)} (positive: {first.positive}), and labels are {YES} and "
            f"{NO}: train with a profile whose first question is answered so"
        )


def check_epochs(order: Order) -> None:
    """Raise ConfigError if an epoch would have no window to show."""
    for epoch in range(order.epochs):
        if order.count_steps(epoch):
            continue
        if epoch < order.simple_epochs and not any(window.simple for window in order.windows):
            raise ConfigError(
                f"--simple-epochs {order.simple_epochs}: no window of the split `train` asks a "
                "simpler question; leave it out, or prepare labels with a column `question`"
            )
        assert order.balance is Balance.DRAW
        raise ConfigError(
            f"--balance draw: the windows of epoch {epoch + 1} have one label only, so none can be "
            "drawn; give --balance none, or --simple-epochs 0"
        )
