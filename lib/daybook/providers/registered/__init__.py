"""Models that were trained here and registered, asked by their name and version."""
