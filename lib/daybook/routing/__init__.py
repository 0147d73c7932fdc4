"""Which model answers a request: deployments and their versions, and the models that take over when one fails."""
