"""Names and prose keep to plain modern English (docs/glossary.md, tests/words.py)."""

from __future__ import annotations

import pytest
from words import banned_words, find_all


def test_no_file_has_a_banned_word():
    found = find_all()
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "# Whatever comes is read anew.",
        "def test_what_is_wrong_is_told(): ...",
        '"""The rows, of which some are new."""',
        "def told(plan): ...",
        "class Reader:\n    async def _judged(self): ...",
        "mends = 3",
    ],
)
def test_a_banned_word_is_found_in_prose_and_in_names(text):
    assert list(banned_words("ah_ray/example.py", text))


def test_a_module_is_not_called_by_a_participle():
    assert list(banned_words("ah_ray/study/written.py", ""))


@pytest.mark.parametrize(
    "text",
    [
        "def read_rows(path): ...",
        "amend = recommend = 1  # words that only contain a banned one",
        "def labelled_rows(): ...",
        "def cut(): ...",
    ],
)
def test_other_words_are_not(text):
    assert not list(banned_words("ah_ray/example.py", text))
