"""Append first: a fact is on disk in the writing process's own file before it is acknowledged, and is drained into
the book exactly once.
"""
