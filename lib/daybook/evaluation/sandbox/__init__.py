"""Code that a model wrote is run, in a process of its own that can reach nothing."""
