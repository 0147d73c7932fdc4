"""Erasing a person everywhere: the plan, the steps, the proof and the certificate."""
