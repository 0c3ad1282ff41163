"""Which clips a person should judge next: those in doubt, spread out, and each second once."""
