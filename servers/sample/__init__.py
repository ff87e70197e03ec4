"""The sample server's client API: `Sample`, and what the server refuses."""

from caplab.servers.sample.client import Sample
from caplab.servers.sample.protocol import NoRoom, SampleError

__all__ = ["NoRoom", "Sample", "SampleError"]
