"""The capability microkernel, pure: state, the table of calls, one file per object."""
