"""`/` in a browser: what the endpoint does now, for whoever signed in with a key."""
