"""From what people annotated to a labelled manifest: `jobs/prepare.py`.

BAH's tree · a CSV or Parquet table · ms-swift's JSONL ──▶ labelled videos ──▶ windows, splits
"""
