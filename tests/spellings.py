"""Pairs of names that are one person's."""

from __future__ import annotations

SAME = {
    "case": ("P-017", "p-017"),
    "composed and decomposed accents": ("Zo\u00eb", "Zoe\u0308"),
    "zero width": ("P-017", "P-\u200b017"),
    "byte order mark": ("P-017", "\ufeffP-017"),
    "soft hyphen": ("P-017", "P-0\u00ad17"),
    "joiner": ("P-017", "P-017\u200d"),
    "variation selector": ("P-017", "P-017\ufe0f"),
    "direction mark": ("P-017", "\u200eP-017\u202c"),
    "leading zeros": ("17", "017"),
    "a number of a spreadsheet": ("17", "17.0"),
    "a number with zeros on both sides": ("0017", "17.00"),
    "a decimal comma": ("17", "17,0"),
    "leading zeros behind letters": ("P-017", "P-17"),
    "non-breaking hyphen": ("P-017", "P\u2011017"),
    "figure dash": ("P-017", "P\u2012017"),
    "en dash": ("P-017", "P\u2013017"),
    "minus": ("P-017", "P\u2212017"),
    "full-width hyphen": ("P-017", "P\uff0d017"),
    "underscore": ("P-017", "P_017"),
    "spaces around": ("P-017", " P-017\t"),
    "no-break space": ("P 017", "P\u00a0017"),
    "two spaces": ("P 017", "P  017"),
    "spaces around a hyphen": ("P-017", "P - 017"),
    "wide digits": ("17", "\uff11\uff17"),
    "digits of another script": ("17", "\u0661\u0667"),
    "sharp s": ("Gro\u00df", "GROSS"),
    "ligature": ("\ufb01n", "fin"),
    "zero itself": ("0", "000"),
}
