"""From a manifest to the first events, and `System`, the control API."""
