"""A client of the sample server."""
