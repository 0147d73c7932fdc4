"""One call: how it was asked, what is known of it while it goes on, its entry."""
