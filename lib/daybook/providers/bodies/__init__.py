"""Bodies as they come: kept byte for byte, in older words, malformed, cut off."""
