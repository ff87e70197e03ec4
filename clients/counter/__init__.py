"""A client of the counter server."""
