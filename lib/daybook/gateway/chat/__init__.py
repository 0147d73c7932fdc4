"""The hot path: `POST /v1/chat/completions`, and what its body must be."""
