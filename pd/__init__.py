"""What every protection domain links with."""
