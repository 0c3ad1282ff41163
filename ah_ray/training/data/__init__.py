"""Which clips a step sees: assignment, order, questions, decoding, loading."""
