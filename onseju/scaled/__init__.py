"""Many processes on one machine, for trying out and for the tests: the servers they need, and their start and end."""
