"""Who may call, and how much: the endpoint's keys and what each may do."""
