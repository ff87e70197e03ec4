"""Holds toys on top of a chain of servers, and says what becomes of them."""
