"""Whether the endpoint can do its work, and what it counts."""
