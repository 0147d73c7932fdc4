-- When the book's first call came in; null for a book without calls.
select min(calls.time) as first from calls
