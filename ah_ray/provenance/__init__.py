"""Whose videos models and calibrations have learned from."""
