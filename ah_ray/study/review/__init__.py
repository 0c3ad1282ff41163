"""Videos and moments for a reviewer, and the answers as labels: `jobs/clips.py`.

an output ──moments, or a draw──▶ clips and a page ──▶ the reviewer's sheet ──▶ labelled manifest
"""
