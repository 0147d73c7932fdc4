"""Every place where something of a person can lie: one file a kind of place, each finds and erases."""
