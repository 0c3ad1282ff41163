"""Scores and labels for other tools: ELAN, BORIS, Label Studio, BIDS, REDCap, spreadsheets."""
