"""`POST /v1/messages`: Anthropic's Messages API in front of every model, for clients that speak it."""
