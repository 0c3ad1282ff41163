"""How good the answers to a further question are, and what contrasts are worth."""
