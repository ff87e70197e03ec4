"""A pager: mends the memory faults of another PD with pages of its own."""
