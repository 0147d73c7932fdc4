"""Two sentences that differ in a stereotype: how often a model finds the stereotyped one likelier."""
