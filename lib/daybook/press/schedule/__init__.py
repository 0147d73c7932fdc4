"""Everything Prefect: the flow that runs one report, the deployments, and the processes that serve them."""
