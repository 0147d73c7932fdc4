"""What goes on beside the calls: the drain of the journals, and the regular look at the book."""
