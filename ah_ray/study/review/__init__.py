"""A reviewer's eyes on the surest moments: `jobs/clips.py`.

an output's clips ──moments──▶ files and a page ──▶ the reviewer's sheet ──▶ a labelled manifest
"""
