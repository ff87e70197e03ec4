"""A PD that is the Parent of two serial servers: a thread of its own, and a PD."""
