"""What every provider over HTTP shares: the client with its retries, the map of errors, the event stream."""
