"""Probabilities of answers, from the log-probabilities of their tokens."""

import pytest
import torch

from ah_ray.omni.answer import compute_answers, compute_format_mass
from ah_ray.omni.questionnaire import build_questionnaire
from ah_ray.profile import load_profile


@pytest.fixture
def seed(released_tokenizer):
    return build_questionnaire(load_profile("seed"), released_tokenizer)


def pick(seed, found: dict[tuple[int, int], float], elsewhere: float) -> torch.Tensor:
    """The same for every pick but for some, by (read, token)."""
    return torch.tensor([[found.get(pair, elsewhere) for pair in seed.tree.picks]])


def test_the_beginning_is_read_before_the_answers(seed):
    assert seed.tree.lines[0].n_reads == 4
    assert seed.tree.picks == (
        (0, 27),
        (1, 9217),
        (2, 29),
        (3, 9454),
        (2, 41157),
        (3, 2753),
    )
    assert seed.beginning == (0, 1)
    log_p = pick(seed, {(0, 27): 0.5, (1, 9217): 0.25}, 1.0).log()
    assert compute_format_mass(seed.beginning, log_p).item() == pytest.approx(0.125)


def test_probabilities_of_the_paths_add_up(seed):
    found = {(2, 29): 0.5, (2, 41157): 0.25, (3, 9454): 0.6, (3, 2753): 0.2}
    p, mass = compute_answers(seed.questions[0], pick(seed, found, 1.0).log())
    assert mass.item() == pytest.approx(0.5 * 0.6 + 0.25 + 0.5 * 0.2)
    assert p[0].tolist() == pytest.approx([0.3 / 0.65, 0.35 / 0.65])


def test_a_model_that_never_answers_still_has_a_share(seed):
    """Far below what a float32 probability can hold, the ratio is still right."""
    log_p = pick(seed, {(3, 9454): -299.0}, -300.0)
    p, mass = compute_answers(seed.questions[0], log_p)
    assert 0 <= mass.item() < 1e-100
    # Yes: e^-599; No: e^-300 outweighs it.
    assert p[0, 0].item() == pytest.approx(0.0, abs=1e-100)
    log_p = pick(seed, {(3, 9454): -299.0, (2, 41157): -601.0}, -300.0)
    p, _ = compute_answers(seed.questions[0], log_p)
    weights = torch.tensor([-599.0, -601.0, -600.0]).softmax(0)
    assert p[0, 0].item() == pytest.approx(weights[0].item(), rel=1e-5)


def test_several_answers_share_what_the_model_gives_to_any_of_them(released_tokenizer):
    profile = load_profile("seed")
    answers = ("No", "Yes", "Not sure")
    first = profile.complete_questions[0].model_copy(update={"answers": answers})
    three = profile.model_copy(update={"questions": (first,)})
    questions = build_questionnaire(three, released_tokenizer)
    log_p = (
        torch.randn(5, len(questions.tree.picks), generator=torch.Generator().manual_seed(0)) - 2
    )
    p, mass = compute_answers(questions.questions[0], log_p)
    direct = torch.stack(
        [
            sum(log_p[:, list(path)].double().sum(1).exp() for path in paths)
            for paths in questions.questions[0].answers
        ],
        dim=1,
    )
    torch.testing.assert_close(mass, direct.sum(1))
    torch.testing.assert_close(p, direct / direct.sum(1, keepdim=True))
