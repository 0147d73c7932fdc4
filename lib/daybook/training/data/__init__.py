"""Data to train on: read as examples, checked, counted in tokens, compared with what it is evaluated on."""
