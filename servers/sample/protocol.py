"""The messages of the sample service, and what its server refuses."""

from __future__ import annotations

from caplab.pd.resource import Protocol, ResourceError
from caplab.servers.sample import sample_pb2 as pb


class SampleError(ResourceError):
    """A refusal of the sample server."""


class NoRoom(SampleError, code=pb.SAMPLE_NO_ROOM):
    """Every place is taken: free a resource first."""


PROTOCOL = Protocol("SAMPLE", pb.SampleMessage, pb.SampleReturnMessage, SampleError)
