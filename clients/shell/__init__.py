"""An interactive shell on the console, with power over what it manages and nothing else."""
