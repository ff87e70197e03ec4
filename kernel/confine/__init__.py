"""What keeps a process from the host: Linux's own means, called through ctypes."""
