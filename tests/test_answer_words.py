"""The answer words have one home: the profile."""

import ast
from pathlib import Path

import pytest

import ah_ray
from ah_ray.profile import NO, YES, answer_word, built_in_names, load_profile

PACKAGE = Path(ah_ray.__file__).parent
FILES = [
    path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "profile" / "answers.py"
]


def literals(path: Path) -> set[str]:
    """Return the texts of a file that are an answer, alone or between the answer's tags."""
    words = {YES, NO} | {f"<answer>{word}</answer>" for word in (YES, NO)}
    nodes = ast.walk(ast.parse(path.read_text()))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and n.value in words}


def assigned_names(path: Path) -> set[str]:
    """Return the names that a file binds at its top level."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            names |= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_profile_spells_the_answers(path):
    assert literals(path) == set()
    assert not {"YES", "NO"} & assigned_names(path)


@pytest.mark.parametrize("name", built_in_names())
def test_a_profile_gives_the_answers_that_models_were_trained_to_give(name):
    profile = load_profile(name)
    assert profile.answer_text(True) == "<answer>Yes</answer>"
    assert profile.answer_text(False) == "<answer>No</answer>"
    assert answer_word(True) in profile.answer_text(True)
