"""How good verdicts are, by labels: `jobs/evaluate.py`.

    an output's rows + labels ──judged──▶ measures, thresholds, slices, intervals ──▶ metrics.json

Measures, thresholds, scalings and the bootstrap are pure; `run` is the job.
"""
