"""Prints a line or several: the first program."""
