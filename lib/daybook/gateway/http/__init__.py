"""HTTP as the endpoint speaks it: the address it listens on, connections, the protocol, requests, answers, errors."""
