"""Each figure of an evaluation, from predictions and labels."""
