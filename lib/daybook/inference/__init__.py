"""One call, from the request to its entry in the book: answered, streamed, priced, entered; also many at a time.

What is here sees Protocols and records; it is handed the journal, the providers and the clock, and never builds them.
"""
