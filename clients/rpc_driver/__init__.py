"""The parent of sel4test's pattern: starts tests as PDs of their own and serves their requests."""
