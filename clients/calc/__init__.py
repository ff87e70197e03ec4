"""A client of the calc server."""
