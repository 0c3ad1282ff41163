"""What a profile may ask, and what stays as it was for one that asks a single question."""

import re
from pathlib import Path

import pytest

from ah_ray.config import Arithmetic, Scoring, Windows
from ah_ray.errors import ConfigError
from ah_ray.profile import Profile, Sees, built_in_names, load_profile

WHY = """
extends: seed
construct: engagement
questions:
  ah:
  face: {text: " content: the face?", answers: [positive, neutral, negative], sees: picture}
  voice: {text: " content: the voice?", answers: [positive, neutral, negative], sees: sound}
  level: {text: " content: how much?", answers: [low, high], scale: [1, 5]}
  seen: {text: " content: one face?", answers: [Yes, No], positive: Yes}
contrasts:
  face-voice: [face, voice]
"""


def load_text(tmp_path, text: str) -> Profile:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_profile(str(path))


def fingerprint(profile: Profile) -> str:
    return Scoring(
        model="m",
        model_fingerprint="0",
        profile=profile,
        windows=Windows(),
        arithmetic=Arithmetic.FLOAT32,
    ).fingerprint


def test_questions_keep_their_order_and_the_first_is_that_of_the_prompt(tmp_path):
    profile = load_text(tmp_path, WHY)
    ah, face, voice, level, seen = profile.complete_questions
    assert (ah.answers, ah.positive, ah.sees) == (("Yes", "No"), "Yes", Sees.BOTH)
    assert profile.user_text(ah) == load_profile("seed").user
    assert profile.user_text(face) == "Combine the <video> content: the face?"
    assert profile.user_text(voice) == "Combine the <audio> content: the voice?"
    assert (level.scale, level.reducer) == ((1.0, 5.0), "mean")
    assert (seen.answers, seen.positive) == (("Yes", "No"), "Yes")  # YAML's truth values
    assert profile.user_text(seen).startswith("Combine the <video> and <audio> content: one")
    assert (profile.construct_name, profile.contrasts[0].between) == (
        "engagement",
        ("face", "voice"),
    )
    assert Profile(**profile.model_dump(mode="json")) == profile  # as config.json holds it


PLAIN = [name for name in built_in_names() if not name.endswith("-why")]


def test_a_profile_without_a_list_asks_what_it_always_asked():
    for name in PLAIN:
        profile = load_profile(name)
        (question,) = profile.complete_questions
        assert (question.answers, question.positive) == (("Yes", "No"), "Yes")
        assert profile.user_text(question) == profile.user
        assert not {"questions", "contrasts"} & profile.describe_scoring().keys()


@pytest.mark.parametrize("name", PLAIN)
def test_the_fingerprint_of_an_old_profile_is_the_one_of_earlier_versions(name):
    """An output of an ah_ray without questions goes on (from commit 5db0d33)."""
    expected = {
        "seed": "99497bd7c125ca39",
        "seed-32": "1145369f9da88af4",
        "seed-448": "925885e5be23438d",
        "seed-inference": "e7e0cb054d9f3203",
        "swift-4.6": "ea3cf2a6bf4c54e8",
        "tiny": "6270533e5d56caa3",
    }
    assert fingerprint(load_profile(name)) == expected[name]


def test_the_fingerprint_covers_questions_and_their_order(tmp_path):
    profile = load_text(tmp_path, WHY)
    ah, face, *rest = profile.questions
    others = [
        load_profile("seed"),
        profile.model_copy(update={"questions": (ah, *rest[::-1], face)}),
        profile.model_copy(update={"contrasts": ()}),
        profile.select_questions(["face"]),
    ]
    assert len({fingerprint(one) for one in (profile, *others)}) == 5
    named = profile.model_copy(update={"construct_name": "A/H", "name": "other"})
    assert fingerprint(named) == fingerprint(profile)


def test_a_list_of_the_one_question_is_the_same_configuration():
    why = load_profile("seed-why")
    assert fingerprint(why.select_questions(["ah"])) == fingerprint(load_profile("seed"))
    assert fingerprint(why) != fingerprint(load_profile("seed"))


@pytest.mark.parametrize("size", ["", "-448"])
def test_why_is_the_published_question_and_further_ones(size):
    plain, why = load_profile(f"seed{size}"), load_profile(f"seed{size}-why")
    ah, *further = why.complete_questions
    assert (ah,) == plain.complete_questions and why.user_text(ah) == plain.user
    unlike = {"name", "questions", "contrasts"}
    assert why.model_dump(exclude=unlike) == plain.model_dump(exclude=unlike)
    sees = {question.name: question.sees.value for question in further}
    assert sees == {
        "face": "picture", "voice": "sound", "words": "sound", "ah-picture": "picture",
        "ah-sound": "sound", "one-face": "picture", "speech": "sound",
    }  # fmt: skip
    assert {one.name for one in why.contrasts} == {"face-voice", "face-words", "voice-words"}
    tones = ("positive", "neutral", "negative")
    assert [question.answers for question in further[:3]] == [tones] * 3


def test_the_example_of_another_construct_is_a_profile(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    profile = load_text(tmp_path, example)
    first, _, effort = profile.complete_questions
    assert (profile.construct_name, first.positive) == ("engagement", "high")
    assert first.text and first.text.startswith(" content to analyze how engaged")
    assert dict(zip(effort.answers, effort.scale, strict=True)) == {"easy": 1, "fair": 2, "hard": 3}


def test_some_of_the_questions_may_be_selected(tmp_path):
    profile = load_text(tmp_path, WHY)
    some = profile.select_questions(["voice"])
    assert [one.name for one in some.complete_questions] == ["ah", "voice"]
    assert some.contrasts == ()
    assert profile.select_questions(["voice", "face"]).contrasts == profile.contrasts
    assert load_profile("seed").select_questions(["ah"]) == load_profile("seed")
    with pytest.raises(ValueError, match="has no question mood: ah, face, voice, level, seen"):
        profile.select_questions(["mood"])


@pytest.mark.parametrize(
    ("questions", "problem"),
    [
        ("{ah: {answers: [a, b]}}", "say which of its answers is positive"),
        ("{ah: {answers: [Yes]}}", "answers"),
        ("{ah: {answers: [Yes, Yes]}}", "two answers are the same"),
        ("{ah: {answers: [Yes, ' No']}}", "is empty, too long, or has spaces"),
        ("{ah: {answers: [Yes, <b>]}}", "characters that no answer may have"),
        ("{ah: {positive: maybe}}", "maybe is none of its answers"),
        ("{ah: , b: {text: b, scale: [1]}}", "one number for each answer"),
        ("{ah: , b: {text: b, scale: [1, 2], positive: Yes}}", "either a positive answer or a"),
        ("{ah: , b: }", "give the text of the question"),
        ("{ah: , b: {text: '<video>?'}}", "the clip comes before it"),
        ("{ah: , b: {text: x}, c: {text: x}}", "same text as b"),
        ("{ah: , 'b c': {text: x}}", "name"),
        ("{ah: , b: {text: x, sees: smell}}", "sees"),
    ],
)
def test_a_question_that_cannot_be_asked_is_named(tmp_path, questions, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        load_text(tmp_path, f"extends: seed\nquestions: {questions}\n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("between", "problem"),
    [
        ("[face, mood]", "no question mood"),
        ("[face, seen]", "with the same answers"),
        ("[face, face]", "with the same answers"),
        ("[face]", "contrasts"),
    ],
)
def test_a_contrast_needs_two_questions_with_the_same_answers(tmp_path, between, problem):
    with pytest.raises(ConfigError, match=problem):
        load_text(tmp_path, WHY.replace("[face, voice]", between))
