"""The only I/O: the ZeroMQ loop, the zygote, segments, lines, the clock."""
