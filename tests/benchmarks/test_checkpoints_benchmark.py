"""Every kind of checkpoint and adapter gives its P, or is refused with the advice that helps."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "omni"))

import checkpoints
from checkpoint_kinds import ADAPTERS, CHECKPOINTS

pytestmark = pytest.mark.filterwarnings("ignore::Warning:peft", "ignore::FutureWarning")


@pytest.mark.heavy
@pytest.mark.parametrize("kinds", [CHECKPOINTS, ADAPTERS], ids=["checkpoints", "adapters"])
def test_what_is_seen_is_what_is_expected(kinds):
    wrong = {kind.name: seen for kind, seen, is_right in checkpoints.rows(kinds) if not is_right}
    assert not wrong


def test_there_are_enough_kinds():
    assert len({kind.name for kind in (*CHECKPOINTS, *ADAPTERS)}) >= 45
