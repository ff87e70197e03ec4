"""A parent and two children, in one process."""

from collections.abc import Iterator

import pytest

from caplab.pd.sel4rpc import RpcClient
from family import family
from threaded_system import ThreadedSystem


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    with family("child", "sibling") as made:
        yield made


@pytest.fixture
def child(system: ThreadedSystem) -> RpcClient:
    return RpcClient(system.env("child").endpoint("parent"))
