"""The toy servers' client API: `Toy`, and what they refuse."""

from caplab.servers.toy.client import Toy
from caplab.servers.toy.protocol import ToyError

__all__ = ["Toy", "ToyError"]
