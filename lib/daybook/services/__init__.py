"""What Daybook does, one subject a file. Services see Protocols and records; they are handed the book, the
providers and the clock, and never build them."""
