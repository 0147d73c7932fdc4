"""Models of the hub or of a folder, run in a child process."""
