"""The deterministic state machine: accounts and books. `reference.py` is the specification that people read."""
