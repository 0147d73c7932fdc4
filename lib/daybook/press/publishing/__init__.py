"""What came of a run, for readers: the page, the files among the reports, the index of all of them."""
