"""One file for each family of data: what its members look like, and by which check digit or word they are known."""
