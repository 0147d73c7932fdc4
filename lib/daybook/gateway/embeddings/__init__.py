"""`/v1/embeddings`, and a batch of texts each by itself."""
