"""What the book's benchmarks share."""
