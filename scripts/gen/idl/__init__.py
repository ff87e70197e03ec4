"""The compiler of interface descriptions: what `caplab gen` does with `.idl` files."""
