"""A client of the calc_counter server."""
