"""A client of the mapped_file server."""
