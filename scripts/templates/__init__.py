"""What `caplab new` makes of; see the README."""
