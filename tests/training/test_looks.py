"""Several labelled questions of one look, against transformers' own forward of each one alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from labelled_clips import CPU, label_drawing
from torch.nn import functional as F
from transformers_reference import Reference

from ah_ray.config import Arithmetic
from ah_ray.omni.inputs.staging import Stager
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.model import attention
from ah_ray.omni.model.attention import PACKED
from ah_ray.omni.model.loading import load_model
from ah_ray.profile import Profile, Question, Sees, load_profile
from ah_ray.training.data.questions import LabelledClip, NamedAnswer, Questions, answer_of_label
from ah_ray.training.steps import packed_thinker, packs
from ah_ray.training.steps.learner import Learner
from ah_ray.training.steps.packed_thinker import PackedThinker, compute_balance_loss
from ah_ray.training.steps.supervised import SupervisedStep

TONES = ("positive", "neutral", "negative")
QUESTIONS = (
    Question(name="ah", text=" content. Yes or No?", positive="Yes"),
    Question(name="face", text=" content. The face?", answers=TONES, sees=Sees.PICTURE),
    Question(name="voice", text=" content. The voice?", answers=TONES, sees=Sees.SOUND),
    Question(name="alike", text="?", answers=("No", "Not sure at all", "Yes", "Yesterday evening")),
    Question(name="degree", text=": higher?", answers=("high", "higher", "highest", "> high")),
)
MEDIA = ("Combine the <video> and <audio>", "Combine the <audio> and <video>", "<audio><video>")
CLIPS = (
    label_drawing(0, True),
    label_drawing(1, False, seconds=0.6, n_frames=4, height_px=96),
    label_drawing(2, True, seconds=4.1, n_frames=8, weight=2.0),
)


def make_profile(media: str) -> Profile:
    fields = load_profile("tiny").model_dump(by_alias=True)
    return Profile(**fields | {"user": media, "questions": QUESTIONS})


def label(number: int, answers: dict[str, int], sees: Sees, *, first: bool) -> LabelledClip:
    """One of CLIPS with answers by their place, each of another weight."""
    by_name = {question.name: question for question in QUESTIONS}
    named = tuple(
        NamedAnswer(question=name, answer=by_name[name].answers[place], weight=0.5 + 0.25 * place)
        for name, place in answers.items()
    )
    clip = CLIPS[number]
    return replace(clip, answers=named, sees=sees, label=clip.label if first else None)


@pytest.fixture(scope="module")
def ask_alone(tiny):
    """Each labelled question of each clip alone through transformers; with its gradients."""
    references = {media: Reference(tiny, make_profile(media)) for media in MEDIA}
    end = "<|im_end|>"

    def run(media: str, looks: Sequence[LabelledClip]) -> tuple[float, dict[str, torch.Tensor]]:
        reference = references[media]
        reference.model.requires_grad_(True).zero_grad()
        total = tokens = 0.0
        for look in looks:
            asked = {one.question: (one.answer, one.weight) for one in look.answers}
            if look.label is not None:
                asked |= {"ah": (answer_of_label(QUESTIONS[0], look.label), look.weight)}
            for question in QUESTIONS:
                if question.name not in asked:
                    continue
                answer, weight = asked[question.name]
                if question.sees is Sees.BOTH:
                    question = question.model_copy(update={"sees": look.sees})
                text = f"<answer>{answer}</answer>{end}"
                n = len(reference._tokenizer.encode(text, add_special_tokens=False).ids)
                inputs = reference.inputs(look.clip, text, question)
                logits = reference.model(**inputs).logits[0, -n - 1 : -1]
                losses = F.cross_entropy(logits, inputs["input_ids"][0, -n:], reduction="sum")
                total = total + weight * losses
                tokens += weight * n
        (total / tokens).backward()
        gradients = {
            name: parameter.grad.clone()
            for name, parameter in reference.model.named_parameters()
            if parameter.grad is not None
        }
        return float(total.detach()) / tokens, gradients

    return run


@pytest.fixture(scope="module")
def thinker(tiny) -> PackedThinker:
    """The tiny model with every parameter to learn, in float32 and without sharding."""
    loaded = load_model(tiny, Arithmetic.FLOAT32, [CPU], (), print)
    loaded.requires_grad_(True)
    loaded.set_attn_implementation(
        dict.fromkeys(("text_config", "vision_config", "audio_config"), PACKED)
    )
    return PackedThinker(loaded, towers=True)


def learn(thinker, tiny, media, looks, budget=4096) -> tuple[float, dict[str, torch.Tensor]]:
    thinker.zero_grad()
    questions = Questions(make_profile(media), load_tokenizer(tiny), 13)
    step = SupervisedStep(
        Learner(thinker, sharded=False),
        questions,
        Stager(CPU, torch.float32),
        token_budget=budget,
        balance=0.0,
    )
    loss = step.add_gradients(looks, 0).loss
    gradients = {
        name: parameter.grad.clone()
        for name, parameter in thinker.thinker.named_parameters()
        if parameter.grad is not None
    }
    return loss, gradients


def measure_difference(
    ours: tuple[float, dict[str, torch.Tensor]], theirs: tuple[float, dict[str, torch.Tensor]]
) -> float:
    """The largest relative difference: of the loss, and of each gradient to its norm.

    Gradients that are next to nothing are compared with a small share of the largest one.
    """
    (loss, gradients), (expected_loss, expected) = ours, theirs
    largest = max(float(gradient.norm()) for gradient in expected.values())
    found = [abs(loss - expected_loss) / expected_loss]
    for name, gradient in gradients.items():
        other = expected.get(name, torch.zeros_like(gradient))
        scale = max(float(other.norm()), 1e-3 * largest)
        found.append(float((gradient - other).norm()) / scale)
    assert set(expected) <= set(gradients)
    return max(found)


ANSWERS = st.fixed_dictionaries(
    {}, optional={q.name: st.integers(0, len(q.answers) - 1) for q in QUESTIONS[1:]}
)
LOOKS = st.lists(
    st.tuples(st.integers(0, len(CLIPS) - 1), ANSWERS, st.sampled_from(Sees), st.booleans()),
    min_size=1,
    max_size=3,
)
ALL = {"face": 0, "voice": 2, "alike": 1, "degree": 3}


def make_looks(drawn) -> list[LabelledClip]:
    return [
        label(number, answers, sees, first=first or not answers)
        for number, answers, sees, first in drawn
    ]


PACKS = {"media": st.sampled_from(MEDIA), "drawn": LOOKS, "budget": st.sampled_from([1, 4096])}


@settings(max_examples=1)
@given(**PACKS)
@example(
    media=MEDIA[0],
    drawn=[(0, ALL, Sees.BOTH, True), (1, {"voice": 0}, Sees.BOTH, False)],
    budget=4096,
)
@example(
    media=MEDIA[2], drawn=[(0, ALL, Sees.SOUND, True), (2, ALL, Sees.PICTURE, True)], budget=4096
)
@example(media=MEDIA[0], drawn=[(1, {"voice": 1}, Sees.SOUND, True)], budget=4096)
def test_losses_and_gradients_of_a_look_are_those_of_its_questions_alone(
    thinker, tiny, ask_alone, media, drawn, budget
):
    looks = make_looks(drawn)
    ours = learn(thinker, tiny, media, looks, budget)
    assert measure_difference(ours, ask_alone(media, looks)) <= 1e-5


@pytest.mark.heavy  # 40 packs: about 60 s
@settings(max_examples=40)
@given(**PACKS)
def test_losses_and_gradients_of_many_looks_are_those_of_their_questions_alone(
    thinker, tiny, ask_alone, media, drawn, budget
):
    looks = make_looks(drawn)
    assert (
        measure_difference(learn(thinker, tiny, media, looks, budget), ask_alone(media, looks))
        <= 1e-5
    )


FAULTS = {
    "a position": lambda layout: replace(layout, positions=_moved(layout.positions)),
    "a key": lambda layout: replace(layout, keys=(*layout.keys[:-1], _moved(layout.keys[-1]))),
    "a picture's place": lambda layout: replace(layout, video=_swapped(layout.video)),
}


def _moved(array):
    """The last of the shared positions, or keys, one further: that of another token."""
    array = array.copy()
    array[..., -8] += 1
    return array


def _swapped(array):
    array = array.copy()
    array[[0, -1]] = array[[-1, 0]]
    return array


@pytest.mark.parametrize("fault", FAULTS)
def test_the_comparison_sees_a_deliberate_fault(thinker, tiny, ask_alone, monkeypatch, fault):
    media, looks = MEDIA[0], [label(n, ALL, Sees.BOTH, first=True) for n in (0, 1)]
    lay_out = Questions.lay_out_look

    def wrong(self, labelled):
        layout, targets = lay_out(self, labelled)
        return FAULTS[fault](layout), targets

    monkeypatch.setattr(Questions, "lay_out_look", wrong)
    assert measure_difference(learn(thinker, tiny, media, looks), ask_alone(media, looks)) > 1e-3


def test_looks_share_their_beginning(tiny):
    """What the comparison relies on, and that shared tokens are there once."""
    questions = Questions(make_profile(MEDIA[0]), load_tokenizer(tiny), 13)
    one = packs.add_labels(questions, label(0, {}, Sees.BOTH, first=True))
    whole = packs.add_labels(questions, label(0, ALL, Sees.BOTH, first=True))
    assert len(whole.targets) == len(whole.layout.lengths) == 1 + len(ALL)
    assert max(map(len, (target.tokens for target in whole.targets))) > 6
    assert whole.layout.lengths[0] == one.layout.n_tokens == one.cost
    face, voice, *both = whole.layout.lengths[1:]
    assert max(face, *both) < 60 < voice  # the sound alone has a beginning of its own
    assert whole.layout.n_tokens < whole.cost < 3 * one.cost
    deaf = packs.add_labels(questions, label(0, ALL, Sees.PICTURE, first=True))
    assert (len(deaf.layout.video), len(deaf.layout.audio)) == (20, 65)  # voice still hears
    dumb = packs.add_labels(questions, label(0, {}, Sees.SOUND, first=True))
    assert (len(dumb.layout.video), len(dumb.layout.audio)) == (0, 65)


def test_a_question_that_is_asked_in_the_same_words_again_is_left_out(tiny):
    deaf = QUESTIONS[0].model_copy(update={"name": "ah-picture", "sees": Sees.PICTURE})
    profile = make_profile(MEDIA[0]).model_copy(update={"questions": (QUESTIONS[0], deaf)})
    questions = Questions(profile, load_tokenizer(tiny), 13)
    again = (NamedAnswer(question="ah-picture", answer="No"),)
    for sees, n_lines in ((Sees.BOTH, 2), (Sees.SOUND, 2), (Sees.PICTURE, 1)):
        look = replace(CLIPS[0], sees=sees, answers=again)
        assert len(packs.add_labels(questions, look).targets) == n_lines


def test_many_reads_are_computed_in_parts(thinker, tiny, monkeypatch):
    looks = [label(0, ALL, Sees.BOTH, first=True), label(2, ALL, Sees.BOTH, first=True)]
    whole = learn(thinker, tiny, MEDIA[0], looks)
    monkeypatch.setattr(packed_thinker, "_READS_AT_ONCE", 7)
    assert measure_difference(learn(thinker, tiny, MEDIA[0], looks), whole) < 1e-6


def test_the_balance_loss_counts_the_shared_beginning_once(thinker, tiny):
    """So does the share of a pack in it: both are of the tokens that are there."""
    questions = Questions(make_profile(MEDIA[0]), load_tokenizer(tiny), 13)
    look = packs.add_labels(questions, label(0, ALL, Sees.BOTH, first=True))
    pack = packs.stage_pack([look], Stager(CPU, torch.float32), thinker.config)
    with torch.no_grad():
        thinker(pack.inputs, pack.reads)
        assert {len(router) for router in thinker.routers} == {look.layout.n_tokens}
        balance = float(compute_balance_loss(thinker))
    step = SupervisedStep(
        Learner(thinker, sharded=False),
        questions,
        Stager(CPU, torch.float32),
        token_budget=4096,
        balance=1.0,
    )
    found = step.add_gradients([label(0, ALL, Sees.BOTH, first=True)], 0)
    assert found.balance_loss == pytest.approx(balance, rel=1e-6)
    assert (found.n_windows, found.n_tokens) == (1, look.layout.n_tokens)


def test_gradients_of_shared_keys_are_summed_in_float32():
    """In bf16, 1 + 2⁻⁹ is 1: a row that 64 forks share would lose all but the first of them."""
    rows = torch.tensor([0, *[1] * 65, 2])
    tensor = torch.ones(3, 1, 1, dtype=torch.bfloat16, requires_grad=True)
    gradient = torch.full((67, 1, 1), 2.0**-9, dtype=torch.bfloat16)
    gradient[1] = 1
    attention.take_rows(tensor, rows).backward(gradient)
    assert tensor.grad.flatten().tolist() == [2.0**-9, 1.125, 2.0**-9]


@pytest.mark.parametrize("sees", [Sees.SOUND, Sees.PICTURE])
def test_both_towers_have_gradients_where_one_of_them_is_not_asked(thinker, tiny, sees):
    """Workers share the towers: one without gradients for them would keep the others waiting."""
    _, gradients = learn(thinker, tiny, MEDIA[0], [label(0, {}, sees, first=True)])
    idle = "model.visual." if sees is Sees.SOUND else "model.audio_tower."
    towers = {"model.visual.", "model.audio_tower."}
    for tower in towers:
        found = {name: g for name, g in gradients.items() if name.startswith(tower)}
        parameters = dict(thinker.thinker.named_parameters())
        assert len(found) == sum(name.startswith(tower) for name in parameters)
        assert any(g.any() for g in found.values()) is (tower != idle)
