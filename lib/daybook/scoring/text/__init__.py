"""Scorers that compare an answer's words with the reference's: the same, in it, in common, alike."""
