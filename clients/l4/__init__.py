"""A client of L4 servers: it shows what they answer, and what a stuck client does to them."""
