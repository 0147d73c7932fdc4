"""What can be shown of each control, by the query that shows it, and what cannot."""
