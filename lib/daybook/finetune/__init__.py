"""A training from data to registered model: checks, plan, training, comparison with the base."""
