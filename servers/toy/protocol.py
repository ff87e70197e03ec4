"""The messages of the toy servers."""

from __future__ import annotations

from caplab.pd.resource import Protocol, ResourceError
from caplab.servers.toy import toy_pb2 as pb


class ToyError(ResourceError):
    """A refusal of a toy server. It has none of its own: see caplab.pd.resource.errors."""


PROTOCOL = Protocol("TOY", pb.ToyMessage, pb.ToyReturnMessage, ToyError)
