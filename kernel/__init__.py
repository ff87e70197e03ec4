"""The root task: the one process through which every protection domain speaks."""
