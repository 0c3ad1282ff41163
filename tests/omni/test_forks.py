"""Many questions of one look, against transformers' own forward of each question alone."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from drawn_clips import draw_clip
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers_reference import Reference

from ah_ray.errors import ErrorKind
from ah_ray.omni.answer_tree import find_answer_tree
from ah_ray.omni.inputs import layout as layouts
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.questionnaire import build_questionnaire
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import Contrast, Profile, Question, Sees, load_profile
from ah_ray.verdicts.contrast import measure_contrast

CLIPS = [
    draw_clip(0),
    draw_clip(1, n_frames=4, seconds=0.6, height_px=96),
    draw_clip(2, n_frames=2, seconds=0.02),
    draw_clip(3, n_frames=8, height_px=32, width_px=128, seconds=4.9),
    draw_clip(4, n_frames=4, seconds=1.01, width_px=32),
    draw_clip(5),
]
MEDIA = ("Combine the <video> and <audio>", "<audio><video>")
TONES = ("positive", "neutral", "negative")
QUESTIONS = (
    Question(name="ah", text=" content. Yes or No?", positive="Yes"),
    Question(name="face", text=" content. The face?", answers=TONES, sees=Sees.PICTURE),
    Question(name="voice", text=" content. The voice?", answers=TONES, sees=Sees.SOUND),
    Question(name="smile", text=" content. The face? Yes or No?", sees=Sees.PICTURE),
    Question(name="alike", text="?", answers=("No", "Not sure", "Nothing", "Yes", "Yesterday")),
    Question(name="level", text=", how much?", answers=tuple("abcdefghijklmnop"), sees=Sees.SOUND),
    Question(name="degree", text=": higher?", answers=("high", "higher", "highest", "> high")),
)


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return load_tokenizer(tiny)


def make_profile(media: str, *names: str) -> Profile:
    by_name = {question.name: question for question in QUESTIONS}
    questions = [by_name[name] for name in names]
    first = questions[0].model_copy(update={"positive": questions[0].answers[0]})
    fields = load_profile("tiny").model_dump(by_alias=True)
    return Profile(**fields | {"user": media, "questions": [first, *questions[1:]]})


@pytest.fixture(scope="module")
def ask_alone(tiny, tokenizer):
    """log P of each answer to one question about one clip, from forwards of that prompt alone."""
    references = {media: Reference(tiny, make_profile(media, "ah")) for media in MEDIA}

    @cache
    def log_p(media: str, name: str, clip: int) -> np.ndarray:
        question = next(one for one in QUESTIONS if one.name == name)
        tree = find_answer_tree(tokenizer, question)
        after = {
            line: references[media].next_log_p(CLIPS[clip], question, (*tree.start, *line))
            for line in tree.lines
        }

        def of_path(path: tuple[int, ...]) -> float:
            line = next(one for one in tree.lines if one[: len(path) - 1] == path[:-1])
            return sum(float(after[line][len(tree.start) + n, t]) for n, t in enumerate(path))

        each = [np.logaddexp.reduce([of_path(path) for path in paths]) for paths in tree.paths]
        return np.array(each) - np.logaddexp.reduce(each)

    return log_p


def score(scorer, profile: Profile, tokenizer, clips, budget: int = 4096):
    asking = OmniScorer.from_thinker(scorer._thinker, tokenizer, profile, budget)
    return asking.score(clips)


def log_p_of(found, name: str) -> np.ndarray:
    return np.log([answer.p for answer in found.answers if answer.question == name])


NAMES = st.permutations([question.name for question in QUESTIONS])
PACKS = {
    "media": st.sampled_from(MEDIA),
    "names": st.tuples(NAMES, st.integers(2, len(QUESTIONS))).map(lambda pair: pair[0][: pair[1]]),
    "clips": st.lists(st.integers(0, len(CLIPS) - 1), min_size=1, max_size=4),
    "budget": st.sampled_from([1, 600, 4096]),
}


def check_pack(scorer, tokenizer, ask_alone, media, names, clips, budget) -> None:
    """Each question of each clip is answered as transformers answers it alone."""
    profile = make_profile(media, *names)
    scores = score(scorer, profile, tokenizer, [CLIPS[i] for i in clips], budget)
    for clip, found in zip(clips, scores, strict=True):
        for name in names:
            expected = ask_alone(media, name, clip)
            ours = log_p_of(found, name)
            assert np.abs(np.exp(ours) - np.exp(expected)).max() < 1e-5
            assert np.abs(ours - expected).max() < 1e-4  # most P are near 0 or 1


@settings(max_examples=10)
@given(**PACKS)
@example(media=MEDIA[0], names=[q.name for q in QUESTIONS], clips=[0, 1, 2, 3], budget=4096)
def test_each_question_of_a_pack_is_answered_as_if_asked_alone(
    scorer, tokenizer, ask_alone, media, names, clips, budget
):
    check_pack(scorer, tokenizer, ask_alone, media, names, clips, budget)


@pytest.mark.heavy  # 200 packs: about 10 s
@settings(max_examples=200)
@given(**PACKS)
def test_each_question_of_many_packs_is_answered_as_if_asked_alone(
    scorer, tokenizer, ask_alone, media, names, clips, budget
):
    check_pack(scorer, tokenizer, ask_alone, media, names, clips, budget)


def test_the_questions_have_forks_of_answers_and_of_modalities(tokenizer):
    """What the test above relies on: shared beginnings, merged tokens, sound without picture."""
    trees = {q.name: find_answer_tree(tokenizer, q) for q in QUESTIONS}
    assert len(trees["alike"].lines) > 1 and len(trees["ah"].lines) == 1
    assert any(len(paths) > 1 for paths in trees["alike"].paths)
    tree = build_questionnaire(make_profile(MEDIA[0], "ah", "face", "voice"), tokenizer).tree
    layout = layouts.lay_out_clip(tree, (5, 4, 4), 500, 2.0, 13)
    n_main, n_face, n_voice = layout.lengths
    assert len(layout.video) == 20 and len(layout.audio) == 2 * 65
    assert n_face < 60 and 65 < n_voice < n_main
    audio_first = build_questionnaire(make_profile(MEDIA[1], "ah", "face", "voice"), tokenizer).tree
    layout = layouts.lay_out_clip(audio_first, (5, 4, 4), 500, 2.0, 13)
    assert len(layout.video) == 2 * 20 and len(layout.audio) == 65


@pytest.mark.parametrize("fault", ["position", "key", "deepstack"])
def test_a_fault_in_the_layout_shows(scorer, tokenizer, ask_alone, monkeypatch, fault):
    """The comparison above would notice each of these."""
    real = layouts.lay_out_pack

    def faulty(clips, config):
        pack = real(clips, config)
        n_main = int(pack.boundaries[len(clips)])
        if fault == "position":
            pack.positions[:, :, n_main:] += 1
            return pack
        if fault == "key":
            keys = pack.key_rows.clone()
            start = int(pack.key_boundaries[len(clips)])
            keys[start + 30] = keys[start + 31]
            return replace(pack, key_rows=keys)
        return replace(pack, video=pack.video.flip(0))

    monkeypatch.setattr("ah_ray.omni.batcher.lay_out_pack", faulty)
    (found,) = score(scorer, make_profile(MEDIA[0], "ah", "face", "alike"), tokenizer, CLIPS[:1])
    off = [
        np.abs(log_p_of(found, name) - ask_alone(MEDIA[0], name, 0)).max()
        for name in ("ah", "face", "alike")
    ]
    assert max(off) > 1e-3


def test_further_questions_hardly_move_the_first(scorer, tokenizer):
    alone = score(scorer, make_profile(MEDIA[0], "ah"), tokenizer, CLIPS)
    names = [question.name for question in QUESTIONS]
    among = score(scorer, make_profile(MEDIA[0], *names), tokenizer, CLIPS)
    moved = [
        abs(np.log(one.p_ah) - np.log(other.p_ah)) for one, other in zip(alone, among, strict=True)
    ]
    assert max(moved) < 5e-6


def test_one_question_of_two_answers_is_a_plain_pack(scorer, tokenizer):
    """No keys are copied, so its scores keep their last bit; and nothing is said twice in a row."""
    tree = build_questionnaire(load_profile("tiny"), tokenizer).tree
    clip = layouts.lay_out_clip(tree, (5, 4, 4), 500, 2.0, 13)
    pack = layouts.lay_out_pack([clip, clip], scorer._thinker.config)
    assert pack.key_rows is None and pack.boundaries is pack.key_boundaries
    (found,) = score(scorer, load_profile("tiny"), tokenizer, CLIPS[:1])
    assert found.answers == [] and found.contrasts == []


def test_a_profile_that_lists_its_one_question_scores_as_before(scorer, tokenizer):
    plain = load_profile("tiny")
    listed = Profile(**plain.model_dump(by_alias=True) | {"questions": {"ah": None}})
    before, after = (score(scorer, one, tokenizer, CLIPS, budget=1) for one in (plain, listed))
    assert [s.p_ah for s in before] == [s.p_ah for s in after]


def test_a_contrast_is_the_distance_between_two_questions(scorer, tokenizer):
    profile = make_profile(MEDIA[0], "ah", "face", "voice")
    contrast = Contrast(name="face-voice", between=("face", "voice"))
    profile = profile.model_copy(update={"contrasts": (contrast,)})
    for found in score(scorer, profile, tokenizer, CLIPS):
        face, voice = (np.exp(log_p_of(found, name)) for name in ("face", "voice"))
        assert [one.contrast for one in found.contrasts] == ["face-voice"]
        assert found.contrasts[0].distance == pytest.approx(measure_contrast(face, voice))


def test_a_bad_clip_costs_only_itself(scorer, tokenizer):
    profile = make_profile(MEDIA[0], "ah", "face", "voice")
    loud = replace(CLIPS[1], samples=np.full_like(CLIPS[1].samples, 1e38))
    alone = score(scorer, profile, tokenizer, [CLIPS[0]])
    first, bad, last = score(scorer, profile, tokenizer, [CLIPS[0], loud, CLIPS[0]])
    assert bad.error_kind is ErrorKind.SCORING and bad.answers == []
    for found in (first, last):
        assert np.abs(log_p_of(found, "voice") - log_p_of(alone[0], "voice")).max() < 1e-4


def test_many_reads_are_computed_in_parts(scorer, tokenizer, monkeypatch):
    profile = make_profile(MEDIA[0], *(question.name for question in QUESTIONS))
    whole = score(scorer, profile, tokenizer, CLIPS)
    monkeypatch.setattr("ah_ray.omni.model.thinker._READS_AT_ONCE", 7)
    parts = score(scorer, profile, tokenizer, CLIPS)
    for one, other in zip(whole, parts, strict=True):
        assert [a.p for a in one.answers] == pytest.approx([a.p for a in other.answers], abs=1e-6)
    assert torch.tensor([s.p_ah for s in parts]).isfinite().all()
