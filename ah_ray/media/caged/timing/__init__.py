"""One timeline for a recording: from its packets to the pictures that are shown, and when."""
