"""Calls the echo server and says on the console how it went."""
