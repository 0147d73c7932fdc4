"""The commands about the served endpoint: serving it, its keys, limits, deployments, providers and alerts."""
