"""Annotations of other tools as labels: ELAN, BORIS and Label Studio."""
