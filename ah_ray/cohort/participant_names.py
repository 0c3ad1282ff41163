"""One person, one name: the normal form in which names of participants are compared. Pure.

Names come from folders, spreadsheets and YAML files, and each writes them in its own way: `P-017`,
`p-017` and `P‑017` with another hyphen are one person, and so are `17`, `017` and `17.0`. Names are
compared in a normal form, and a message shows every spelling that was found.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Iterable

_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
"""Characters that show nothing (source: Unicode, Default_Ignorable_Code_Point)."""
_HYPHENS = re.compile("[\u2010-\u2015\u2043\u2212\u02d7\u058a\u2e3a\u2e3b\ufe58\ufe63\uff0d_-]")
_AROUND_HYPHEN = re.compile(r"\s*-\s*")
_SPACES = re.compile(r"\s+")
_WHOLE_NUMBER = re.compile(r"(\d+)[.,]0*")
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")


def normal_form(name: str) -> str:
    """Return the form in which two names of one person are equal.

    Case, composed and decomposed accents, wide digits, characters of no width, spaces at the ends,
    kinds of hyphens (an underscore counts as one), leading zeros of numbers, and `.0` after a whole
    number make no difference. Accents, letters and the numbers themselves do.
    """
    text = unicodedata.normalize("NFKC", _IGNORABLE.sub("", name)).casefold()
    text = unicodedata.normalize("NFKC", _IGNORABLE.sub("", text))
    text = "".join(_digit(character) for character in text)
    text = _SPACES.sub(" ", text).strip()
    text = _AROUND_HYPHEN.sub("-", _HYPHENS.sub("-", text))
    if found := _WHOLE_NUMBER.fullmatch(text):
        text = found[1]
    return _LEADING_ZEROS.sub("", text)


def _digit(character: str) -> str:
    """Return 0 to 9 for a digit of any script, and any other character as it is."""
    return str(unicodedata.decimal(character, character))


def pseudonym(participant: str, key: bytes | None) -> str:
    """Return 16 hex digits that only the key's owner can connect with a name.

    All spellings of a name have the same pseudonym. Without a key, return the name itself.
    """
    if key is None:
        return participant
    name = normal_form(participant)
    return hmac.digest(key, f"participant\0{name}".encode(), "sha256").hex()[:16]


def spellings(names: Iterable[str]) -> dict[str, list[str]]:
    """Return every spelling by normal form, each once, in the order of `names`."""
    found: dict[str, list[str]] = {}
    for name in names:
        known = found.setdefault(normal_form(name), [])
        if name not in known:
            known.append(name)
    return found


def show_spellings(names: Iterable[str]) -> str:
    """Return `P-017 (also written p-017)`: the first of several spellings, then the others.

    A spelling that looks like one before it is shown with its code points escaped.
    """
    first, *others = dict.fromkeys(names)
    if not others:
        return first
    looks = {_look(first)}
    shown = []
    for other in others:
        look = _look(other)
        shown.append(ascii(other)[1:-1] if look in looks else other)
        looks.add(look)
    return f"{first} (also written {', '.join(shown)})"


def _look(name: str) -> str:
    text = unicodedata.normalize("NFKC", _IGNORABLE.sub("", name))
    return _SPACES.sub(" ", _HYPHENS.sub("-", text)).strip()
