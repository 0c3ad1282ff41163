"""Check that labels can be learned from, before a machine is requested."""

from __future__ import annotations

from collections.abc import Sequence

from ah_ray.errors import ConfigError
from ah_ray.profile import NO, YES, Profile, answer_word
from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.data.named_labels import count_answers
from ah_ray.training.data.questions import check_question
from ah_ray.training.data.sampler import Order
from ah_ray.training.settings import Balance, Method, TrainSettings


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
    labelled = [row for row in train if row.label is not None]
    asked = [row for row in labelled if row.question is None] or labelled
    if len({row.label for row in asked}) == 1:
        answer = answer_word(bool(asked[0].label))
        raise ConfigError(
            f"{where}: all {len(asked):,} windows of the split `train` are labelled {answer}, from "
            "which a model learns to say nothing else; prepare labels with windows of both answers"
        )


def check_answers(
    settings: TrainSettings, profile: Profile, rows: Sequence[LabelledWindow]
) -> None:
    """Raise ConfigError if labels do not say which answer to the first question is right.

    A label of 1 stands for its positive answer, and 0 for the other one, if there is one other.
    Rewards are for Yes and No.
    """
    first = profile.complete_questions[0]
    how = (
        f"profile {profile.name}: its first question, {first.name}, is answered with "
        + ", ".join(first.answers)
    )
    is_yes_or_no = set(first.answers) == {YES, NO} and first.positive == YES
    if settings.method is Method.GRPO and not is_yes_or_no:
        raise ConfigError(
            f"{how} (positive: {first.positive}), and --method grpo rewards {YES} and {NO}: give "
            "--method lora, or a profile whose first question is answered so"
        )
    by_number = [
        row
        for row in rows
        if row.label is not None
        and row.question is None
        and first.name not in {one.question for one in row.answers}
    ]
    if by_number and (len(first.answers) != 2 or first.positive is None):
        raise ConfigError(
            f"{how}, and {len(by_number):,} windows have a label of 0 or 1, which does not say "
            f"which of them is right: prepare labels with a column {first.name} that holds the "
            f"answer (--label-columns {first.name})"
        )


def check_questions(
    settings: TrainSettings, profile: Profile, train: Sequence[LabelledWindow]
) -> None:
    """Raise ConfigError if all labels of a question that is labelled by name are the same."""
    named = {one.question for row in train for one in row.answers}
    first = profile.complete_questions[0].name
    for name, counts in count_answers(train, profile).items():
        given = [answer for answer, n in counts.items() if n]
        if name in named and len(given) == 1:
            raise ConfigError(
                f"--labels {settings.labels}: all {counts[given[0]]:,} windows of the split "
                f"`train` that are labelled with the question {name} have the answer {given[0]}, "
                "from which a model learns to say nothing else; name those to learn, as --ask "
                f"{first}, or label other answers too"
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
