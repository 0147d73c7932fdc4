"""One run of a notebook: a process of its own, watched, limited and ended for certain; its folder meanwhile."""
