"""The children of sel4test's pattern: each run is one test, with what it asks its parent for."""
