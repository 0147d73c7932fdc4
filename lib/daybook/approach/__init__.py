"""Which approach fits a task: a prompt, examples in it, retrieval, or training. Each is run on the same rows and
compared by accuracy, cost and latency.
"""
