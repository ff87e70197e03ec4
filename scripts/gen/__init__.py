"""What writes code: generated files are committed, and a test runs the generators again."""
