"""Programs that use the servers: one folder each."""
