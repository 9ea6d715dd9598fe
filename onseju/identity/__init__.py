"""Users, sessions and keys: a database of its own with its own single writer."""
