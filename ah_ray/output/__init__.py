"""The contents of OUT: configuration, lease, rows, tables, and summaries of runs."""
