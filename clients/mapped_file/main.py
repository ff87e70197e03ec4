"""Writes into the pages of a file, or waits until somebody has and reads them."""

from caplab import Env
from caplab.servers.mapped_file import (
    MAP_READ,
    MAP_WRITE,
    NOTIFY_FLUSHED,
    MappedFileObject,
    client_Opener,
)


def main(env: Env, path: str = "notes", write: str = "") -> None:
    """With `write`, put a text into the file at `files`; without, wait for one and print it."""
    file = client_Opener(env.endpoint("files")).open(path, 8192)
    if write:
        put(env, file, write.encode())
    else:
        get(env, file)


def put(env: Env, file: MappedFileObject, text: bytes) -> None:
    """Nothing of the text goes through the server."""
    with file.map(0, MAP_WRITE).open() as pages:
        pages.write(0, text)
    env.log(f"wrote; the file has {file.flush(len(text))} bytes")


def get(env: Env, file: MappedFileObject) -> None:
    """Wait until the file has contents."""
    bell = env.notification()
    file.subscribe(bell, NOTIFY_FLUSHED)
    while not file.stat().size:
        bell.wait()
    mapped = file.mmap(0, file.stat().size)
    with file.map(mapped.start, MAP_READ).open() as pages:
        env.log(f"read: {pages.read(0, mapped.size).decode()}")
        try:
            pages.write(0, b"!")
        except PermissionError:
            env.log("what is mapped for reading cannot be written")
