"""`/ml/ollama/generate` and `/ml/ollama/chat`: Ollama's own words in front of the same hot path."""
