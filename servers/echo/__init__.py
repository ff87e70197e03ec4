"""The echo server's client API: `Echo`."""

from caplab.servers.echo.client import Echo

__all__ = ["Echo"]
