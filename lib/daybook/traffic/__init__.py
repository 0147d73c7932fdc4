"""What happened on the endpoint: volume, errors, latency, time to first token."""
