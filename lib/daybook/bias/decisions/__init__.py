"""A table of decisions about people: selection rates by group, their differences and ratios, with intervals."""
