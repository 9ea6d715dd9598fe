"""Market rules as data: which commands set up a venue."""
