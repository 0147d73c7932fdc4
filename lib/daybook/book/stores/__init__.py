"""The databases behind the book, behind one port: a DuckDB file, or Postgres."""
