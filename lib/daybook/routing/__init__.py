"""Which model answers a request: the one asked for, and those that take over when it fails."""
