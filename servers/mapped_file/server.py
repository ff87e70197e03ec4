"""The mapped-file server: one opener, and an object per file that is open, each of five interfaces.

The pages of a file are a memory object. `map` gives it away, for reading only if that is all that
was asked for; what a client writes into its mapping everybody sees at once, and `flush` says how
much of it counts.
"""

from __future__ import annotations

from caplab.kernel.abi import PAGE_SIZE
from caplab.pd.env import Env
from caplab.pd.idl import BadValue, MemoryRange
from caplab.pd.objects import Capability
from caplab.pd.objects import Notification as Bell
from caplab.servers.mapped_file.contents import Contents
from caplab.servers.mapped_file.dataspace_types import MAP_READ, MAP_WRITE
from caplab.servers.mapped_file.file_interface import FileStatResult, NoSpace
from caplab.servers.mapped_file.flush_interface import TooLong
from caplab.servers.mapped_file.mapped_file_interface import MappedFileMmapResult
from caplab.servers.mapped_file.mapped_file_object_interface import MappedFileObject
from caplab.servers.mapped_file.notification_types import NOTIFY_FLUSHED, NOTIFY_RESIZED
from caplab.servers.mapped_file.opener_interface import Opener, TooManyFiles


def main(env: Env, files: int = 16) -> None:
    """Serve until the system ends; at most so many files."""
    Opener.serve(env, server_Opener(env, files))


class server_Opener(Opener):
    """Opens files by path. A file is made when it is opened first, and stays."""

    def __init__(self, env: Env, files: int) -> None:
        self.env = env
        self.most = files
        self.files: dict[str, Contents] = {}

    def open(self, path: str, capacity: int) -> MappedFileObject:
        """A file; of one that is there the capacity stays what it is."""
        contents = self.files.get(path)
        if contents is None:
            if len(self.files) >= self.most:
                raise TooManyFiles(f"there are {self.most} files already")
            contents = self.files[path] = Contents(self.env, capacity)
        return server_MappedFileObject(contents)


class server_MappedFileObject(MappedFileObject):
    """A file that somebody has open. Each opening is an object of its own, so that what was
    subscribed to through it ends with it.
    """

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.subscriptions: set[int] = set()

    def released(self) -> None:
        for subscription in self.subscriptions:
            self.contents.unsubscribe(subscription)

    def map(self, offset: int, flags: int) -> MemoryRange:
        contents = self.contents
        if not 0 <= offset < contents.capacity:
            raise BadValue(f"there is nothing at {offset} of {contents.capacity} bytes")
        if not flags & (MAP_READ | MAP_WRITE):
            raise BadValue("map for reading (1), or for writing too (2)")
        memory = contents.memory if flags & MAP_WRITE else contents.readable
        return MemoryRange(memory, offset, contents.capacity - offset)

    def stat(self) -> FileStatResult:
        return FileStatResult(self.contents.size, self.contents.capacity)

    def resize(self, size: int) -> int:
        if not 0 <= size <= self.contents.capacity:
            raise NoSpace(f"{size} bytes, and there is room for {self.contents.capacity}")
        self.contents.resize(size)
        self.contents.changed(NOTIFY_RESIZED)
        return size

    def flush(self, populated_size: int) -> int:
        """The contents are so long now, at least: what was written beyond their end counts."""
        if not 0 <= populated_size <= self.contents.capacity:
            raise TooLong(f"{populated_size} bytes, and there is room for {self.contents.capacity}")
        self.contents.size = max(self.contents.size, populated_size)
        self.contents.changed(NOTIFY_FLUSHED)
        return self.contents.size

    def mmap(self, position: int, length: int) -> MappedFileMmapResult:
        """The pages in which a part of the file lies, and how long the file is."""
        capacity = self.contents.capacity
        if not 0 <= position < capacity or length < 0:
            raise BadValue(f"{length} bytes at {position} do not lie in {capacity}")
        start = position // PAGE_SIZE * PAGE_SIZE
        end = min(capacity, -(-(position + length) // PAGE_SIZE) * PAGE_SIZE)
        return MappedFileMmapResult(start, end, self.contents.size)

    def subscribe(self, notification: Capability, flags: int) -> int:
        bell = Bell(notification.env, notification.slot)
        number = self.contents.subscribe(bell, flags)
        self.subscriptions.add(number)
        return number

    def unsubscribe(self, subscription: int) -> None:
        """Only what was subscribed to through this object can be ended through it."""
        if subscription in self.subscriptions:
            self.subscriptions.discard(subscription)
            self.contents.unsubscribe(subscription)
