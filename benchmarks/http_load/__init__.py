"""What the endpoint is measured with: an upstream, clients, and the servers between them. None runs by itself."""
