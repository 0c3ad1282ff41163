"""Labelled work: which videos were judged by people, and what is learned from them and measured.

    prepare ──▶ a labelled manifest (labels) ──▶ evaluation ──▶ report
       ▲                                                          │ moments
       └────────── reviewers' answers ◀── review ◀────────────────┘

Videos and people are known here by pseudonyms; no name of a participant leaves this package.
"""
