"""Labelled work: which videos were judged by people, and what is learned from them and measured.

    a BAH tree, a table, or ms-swift's JSONL ──prepare──▶ windows.parquet, videos.parquet

Videos and people are known here by pseudonyms; no name of a participant leaves this package.
"""
