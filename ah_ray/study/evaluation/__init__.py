"""Measure verdicts against people's labels: `jobs/evaluate.py`.

    rows of an output + labels ──▶ predictions ──▶ figures with intervals ──▶ metrics.json

`evaluate` measures verdicts, `answers` other questions and contrasts, `run` is the job, `schema` is
what it writes. Everything in `figures` is pure.
"""
