"""A month of made-up calls, seeded: what the notebooks read where there is no book of one's own yet."""
