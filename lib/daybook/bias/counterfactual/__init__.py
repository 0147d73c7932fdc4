"""The same prompt with another group named in it: do the answers differ, and by more than answers to one prompt do."""
