"""A notebook as it is written: where it lies, what it may be told, what shape it keeps, what it is by digest."""
