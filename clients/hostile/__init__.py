"""Attacks on the kernel, its PDs and the host, and who judges them: `systems/hostile.yaml`."""
