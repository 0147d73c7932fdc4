"""Backups of a book: made, known, kept without those who were erased since, and restored."""
