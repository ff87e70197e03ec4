"""Resource servers: one folder each."""
