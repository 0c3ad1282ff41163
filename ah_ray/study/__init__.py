"""Labelled work: which videos were judged by people, and what is learned from them and measured.

    prepare ──▶ a labelled manifest (labels) ──▶ evaluation ──▶ report
       ▲                                                          │ moments
       └────────── reviewers' answers ◀── review ◀────────────────┘

People are known by pseudonyms in all that is written, unless they are invented or public
(`--plain-participants`). Only faults, on the screen of who has the labels, name them as written.
"""
