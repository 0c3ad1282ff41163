"""Print an evaluation on a terminal."""
