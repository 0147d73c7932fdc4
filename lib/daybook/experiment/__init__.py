"""A live A/B, canary or shadow read out: better, worse, or about how many calls more."""
