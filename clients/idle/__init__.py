"""Does nothing until it is stopped: something to kill."""
