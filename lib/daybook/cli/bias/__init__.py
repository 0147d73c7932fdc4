"""`daybook bias`: one command for each way of asking whether groups are treated alike."""
