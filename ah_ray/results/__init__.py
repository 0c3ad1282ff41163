"""From clip scores to what analysts read: verdicts, committed rows, final tables, run summaries."""
