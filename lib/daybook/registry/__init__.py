"""Registered models: versions, aliases, and what a promotion waits for."""
