"""The scorer against transformers' own forward, alone and packed; and what one bad clip costs."""

import json
import math
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_clips import draw_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers_reference import Reference

from ah_ray.config import Arithmetic
from ah_ray.errors import ErrorKind
from ah_ray.omni.answer_tree import find_answer_tree
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.profile import load_profile

SHAPES = [
    {},
    {"seconds": 3.2},
    {"n_frames": 4, "seconds": 0.6},
    {"n_frames": 4, "seconds": 0.6, "height_px": 96},
    {"n_frames": 2, "seconds": 0.04},
    {"n_frames": 2, "seconds": 0.02},  # less than one analysis window
    {"n_frames": 4, "seconds": 0.99},
    {"n_frames": 4, "seconds": 1.0},
    {"n_frames": 4, "seconds": 1.01, "width_px": 32},
    {"n_frames": 6, "height_px": 96, "width_px": 32},
    {"n_frames": 8, "height_px": 32, "width_px": 128, "seconds": 4.9},
    {"n_frames": 12, "height_px": 64, "width_px": 96, "seconds": 6.0},
    {"n_frames": 4, "seconds": 9.3, "height_px": 32, "width_px": 32},  # two attention windows
]
TOLERANCE = 1e-5
GOLDENS = Path(__file__).parent.parent / "goldens"


@pytest.fixture(scope="module")
def clips():
    return [draw_clip(seed, **shape) for seed, shape in enumerate(SHAPES)]


@pytest.fixture(scope="module")
def expected(clips, reference) -> np.ndarray:
    return np.array([reference.p_ah(clip) for clip in clips])


def p_of(scorer, clips) -> np.ndarray:
    return np.array([score.p_ah for score in scorer.score(clips)])


@pytest.fixture
def budget(scorer):
    """Set the token budget; it is put back after the test."""
    before = scorer.token_budget
    yield lambda tokens: setattr(scorer._batcher, "token_budget", tokens)
    scorer._batcher.token_budget = before


def test_the_expected_values_tell_clips_apart(expected):
    assert expected.std() > 0.05


def test_alone(scorer, clips, expected):
    alone = [p_of(scorer, [clip])[0] for clip in clips]
    assert np.abs(alone - expected).max() < TOLERANCE


def test_the_published_question_scores_as_before_there_were_several(tiny, clips):
    """On the machine of the golden the last bit is the same; other processors round otherwise."""
    golden = json.loads((GOLDENS / "seed_scores.json").read_text())["scores"]
    profile = load_profile("seed")
    scorer = OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    for score, before in zip(scorer.score(clips), golden, strict=True):
        for name, value in before.items():
            assert math.log(getattr(score, name)) == pytest.approx(math.log(value), abs=5e-6)


def test_at_the_training_size(scorer, reference, clips, expected):
    """A frame as large as profile `seed` allows, between small ones."""
    large = draw_clip(99, n_frames=4, height_px=640, width_px=1152, seconds=3.2)
    p = p_of(scorer, [clips[0], large, clips[2]])
    assert np.abs(p - [expected[0], reference.p_ah(large), expected[2]]).max() < TOLERANCE


def test_eager_attention_agrees(scorer, clips, tiny, profile):
    eager = Reference(tiny, profile, attention="eager")
    for clip in clips[:4]:
        assert p_of(scorer, [clip])[0] == pytest.approx(eager.p_ah(clip), abs=TOLERANCE)


@given(st.lists(st.integers(0, len(SHAPES) - 1), min_size=1, max_size=5), st.integers(1, 1000))
@settings(max_examples=200)
def test_any_pack_in_any_order(scorer, clips, expected, chosen, token_budget):
    before = scorer.token_budget
    scorer._batcher.token_budget = token_budget
    try:
        p = p_of(scorer, [clips[i] for i in chosen])
    finally:
        scorer._batcher.token_budget = before
    assert np.abs(p - expected[chosen]).max() < TOLERANCE


def test_the_same_clip_gives_the_same_number(scorer, clips):
    assert (p_of(scorer, clips) == p_of(scorer, clips)).all()


def test_audio_first_and_no_system_prompt(tiny, profile, clips):
    """The published inference prompt's order; an uneven second_per_grid makes uneven positions."""
    other = profile.model_copy(
        update={"system": None, "user": "<audio><video>Yes or No?", "second_per_grid": 0.7}
    )
    scorer = OmniScorer.load(tiny, profile=other, arithmetic=Arithmetic.FLOAT32, device="cpu")
    expected = np.array([Reference(tiny, other).p_ah(clip) for clip in clips])
    assert np.abs(p_of(scorer, clips) - expected).max() < TOLERANCE


def test_each_clip_has_its_own_times_where_the_profile_samples_them(tiny, profile, clips):
    """As ms-swift 4.6 feeds them, at any length of the clip, and packed with any others."""
    sampled = profile.model_copy(update={"second_per_grid": "sampled"})
    ntsc = replace(clips[0], sampled_s=5.005)
    several = [*clips, ntsc]
    scorer = OmniScorer.load(tiny, profile=sampled, arithmetic=Arithmetic.FLOAT32, device="cpu")
    theirs = Reference(tiny, sampled)
    expected = np.array([theirs.p_ah(clip) for clip in several])
    assert np.abs(p_of(scorer, several) - expected).max() < TOLERANCE
    assert expected[0] != expected[-1]  # 5 s and 5.005 s of the same pictures


def test_positions_are_floored_where_the_profile_says_so(tiny, profile, clips):
    """The same as scoring with the positions of training, which transformers is then given."""
    sampled = profile.model_copy(update={"second_per_grid": "sampled", "floor_positions": True})
    scorer = OmniScorer.load(tiny, profile=sampled, arithmetic=Arithmetic.FLOAT32, device="cpu")
    theirs = Reference(tiny, sampled)
    expected = np.array([theirs.p_ah(clip) for clip in clips])
    assert np.abs(p_of(scorer, clips) - expected).max() < TOLERANCE


def test_bf16_is_near(tiny, profile, clips, expected):
    scorer = OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.BF16, device="cpu")
    difference = np.abs(p_of(scorer, clips) - expected)
    assert 0 < difference.mean() < 0.05


def test_a_score_carries_its_clip(scorer):
    clip = draw_clip(7, n_frames=8, seconds=4.2)
    (score,) = scorer.score([clip])
    assert (score.clip_index, score.start_s, score.end_s, score.n_frames) == (7, 35.0, 39.2, 8)
    assert 0 < score.answer_mass < 1
    assert 0 < score.format_mass < 1
    assert score.score_s > 0
    assert score.error_kind is None and score.error is None


@torch.no_grad()
def test_format_mass_is_the_chance_of_the_forced_beginning(scorer, reference, profile, clips):
    """By transformers' own forward: p of each token of the beginning after those before it."""
    for clip, score in zip(clips, scorer.score(clips), strict=True):
        inputs = reference.inputs(clip, "<answer>")
        ids = inputs["input_ids"][0]
        logits = reference.model(**inputs).logits[0].double().log_softmax(-1)
        start = find_answer_tree(reference._tokenizer, profile.complete_questions[0]).start
        begun = range(len(ids) - len(start) - 1, len(ids) - 1)  # then comes `>`, which is read
        expected = sum(float(logits[place - 1, ids[place]]) for place in begun)
        assert math.log(score.format_mass) == pytest.approx(expected, abs=1e-4)


def test_a_model_that_would_begin_otherwise_shows(profile, clips, tmp_path):
    """As one that thinks first: what is read after `<answer` cannot tell."""
    taught = find_checkpoint("tiny")
    copy = Path(shutil.copytree(taught, tmp_path / "thinking"))
    weights = load_file(copy / "model.safetensors")
    weights["thinker.lm_head.weight"][
        find_answer_tree(load_tokenizer(taught), profile.complete_questions[0]).start[0]
    ] = 0
    save_file(weights, copy / "model.safetensors")
    masses = []
    for checkpoint in (taught, copy):
        model = OmniScorer.load(
            checkpoint, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu"
        )
        scores = model.score(clips)
        masses.append([score.format_mass for score in scores])
        assert min(score.answer_mass for score in scores) > 0.9
    assert np.median(masses[0]) > 0.9 and max(masses[1]) < 0.1


def test_time_is_shared_out_by_length(scorer):
    large, small = scorer.score([draw_clip(0, height_px=128, width_px=128), draw_clip(1)])
    assert large.score_s > small.score_s > 0


def test_nothing_to_score(scorer):
    assert scorer.score([]) == []


def test_silence_has_a_score(scorer):
    silent = replace(draw_clip(0), samples=np.zeros(80_000, np.float32))
    assert 0 < scorer.score([silent])[0].p_ah < 1


def test_frames_that_may_not_be_written_to(scorer, recwarn):
    clip = draw_clip(0)
    clip.frames.flags.writeable = False
    clip.samples.flags.writeable = False
    assert scorer.score([clip])[0].p_ah is not None
    assert not recwarn.list


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: {"samples": np.full_like(c.samples, np.nan)}, "not finite"),
        (lambda c: {"samples": np.where(c.samples > 0.1, np.inf, c.samples)}, "not finite"),
        (lambda c: {"frames": c.frames[:, :48]}, "48 px: not multiples of 32"),
        (lambda c: {"frames": c.frames.astype(np.float32)}, "not uint8"),
        (lambda c: {"frames": c.frames[:0]}, "not uint8"),
    ],
)
def test_a_bad_clip_costs_only_itself(scorer, clips, expected, spoil, message):
    bad = replace(clips[1], **spoil(clips[1]))
    scores = scorer.score([clips[0], bad, clips[2]])
    assert scores[1].p_ah is None and scores[1].answer_mass is None
    assert scores[1].error_kind is ErrorKind.SCORING
    assert message in scores[1].error
    good = np.array([scores[0].p_ah, scores[2].p_ah])
    assert np.abs(good - expected[[0, 2]]).max() < TOLERANCE


def test_values_that_overflow_inside_the_model_cost_only_their_clip(scorer, clips, expected):
    """Finite going in, not finite inside: what a pass makes of one clip must not reach another."""
    loud = replace(clips[1], samples=np.full_like(clips[1].samples, 1e38))
    scores = scorer.score([clips[0], loud, clips[2]])
    assert scores[1].error_kind is ErrorKind.SCORING
    assert "no finite probability" in scores[1].error
    good = np.array([scores[0].p_ah, scores[2].p_ah])
    assert np.abs(good - expected[[0, 2]]).max() < TOLERANCE


class SmallMemory:
    """A thinker on a device that holds so many tokens; all else is the real one."""

    def __init__(self, thinker, n_tokens: int, error: Exception):
        self._thinker, self._n_tokens, self._error = thinker, n_tokens, error

    def __getattr__(self, name):
        return getattr(self._thinker, name)

    def compute_log_probabilities(self, inputs):
        if len(inputs.layout.ids) > self._n_tokens:
            raise self._error
        return self._thinker.compute_log_probabilities(inputs)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda e: type(e).__name__)
def test_out_of_memory_halves_the_budget_and_loses_only_what_never_fits(
    scorer, budget, monkeypatch, clips, expected, error
):
    small = SmallMemory(scorer._thinker, 170, error)
    monkeypatch.setattr(scorer._batcher, "_thinker", small)
    budget(4096)
    scores = scorer.score(clips)
    lost = [i for i, score in enumerate(scores) if score.p_ah is None]
    too_large = [i for i, clip in enumerate(clips) if scorer._prepare(clip).layout.n_tokens > 170]
    assert lost == too_large and 0 < len(lost) < len(clips)
    assert all("do not fit" in scores[i].error for i in lost)
    kept = [i for i in range(len(clips)) if i not in lost]
    assert np.abs(np.array([scores[i].p_ah for i in kept]) - expected[kept]).max() < TOLERANCE
    assert scorer.token_budget < 4096


def test_other_device_errors_are_not_hidden(scorer, monkeypatch):
    """A device that an illegal access has poisoned must take its process down, to be replaced."""
    broken = SmallMemory(scorer._thinker, 0, RuntimeError("CUDA error: an illegal memory access"))
    monkeypatch.setattr(scorer._batcher, "_thinker", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        scorer.score([draw_clip(0)])


def test_threads_may_share_a_scorer(scorer, clips, expected):
    found = {}

    def score(name, order):
        found[name] = p_of(scorer, [clips[i] for i in order])

    orders = [list(range(len(clips))), list(range(len(clips)))[::-1]]
    threads = [threading.Thread(target=score, args=(i, o)) for i, o in enumerate(orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, order in enumerate(orders):
        assert np.abs(found[i] - expected[order]).max() < TOLERANCE


def test_loading_and_scoring_print_nothing():
    """Neither progress bars nor transformers' advice reach the terminal."""
    code = (
        "from drawn_clips import draw_clip\n"
        "from ah_ray.config import Arithmetic\n"
        "from ah_ray.omni.weights.checkpoint import find_checkpoint\n"
        "from ah_ray.omni.scorer import OmniScorer\n"
        "from ah_ray.profile import load_profile\n"
        "scorer = OmniScorer.load(find_checkpoint('tiny'), profile=load_profile('tiny'),\n"
        "                     arithmetic=Arithmetic.FLOAT32, device='cpu')\n"
        "assert scorer.score([draw_clip(0)])[0].p_ah is not None\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "default", "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
