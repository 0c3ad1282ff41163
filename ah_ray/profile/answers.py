"""The two words of a verdict."""

from __future__ import annotations

YES, NO = "Yes", "No"
"""The two answer words: what the model is asked for, and what rows, tables and reports hold."""


def answer_word(is_yes: bool) -> str:
    """Return `Yes` or `No`."""
    return YES if is_yes else NO
