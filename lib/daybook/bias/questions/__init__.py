"""Questions whose context does or does not tell the answer (BBQ): accuracy, and bias where a model is wrong."""
