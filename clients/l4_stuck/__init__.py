"""The seed's stuck client: it sends requests that want a return, and never receives one."""
