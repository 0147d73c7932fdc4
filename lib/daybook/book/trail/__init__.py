"""The chain over the book's events: each entry's digest and keyed link, made where the entry enters the book."""
