"""Interfaces that callers implement: a model that scores clips, and callbacks for messages."""
