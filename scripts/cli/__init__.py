"""The `caplab` command."""
