"""Which model or prompt is better on the same rows, with a paired interval, or that it cannot be told."""
