"""The two words of a verdict, which are also the default answers of a question.

A profile gives its questions other words: `answers` of `ah_ray.profile.question.Question`.
"""

from __future__ import annotations

YES, NO = "Yes", "No"
"""What verdicts in rows, tables and reports hold, for every profile."""


def answer_word(is_yes: bool) -> str:
    """Return `Yes` or `No`."""
    return YES if is_yes else NO
