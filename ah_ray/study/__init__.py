"""Labelled work: videos that people judged, and what is learned from them and measured by them.

    prepare ──▶ a labelled manifest (labels) ──▶ evaluation ──▶ report
       ▲                                                          │ moments
       └────────── reviewers' answers ◀── review ◀────────────────┘

People have pseudonyms in everything that is written, unless they are invented or public
(`--plain-participants`). Only messages about faults show names, to whoever has the labels.
"""
