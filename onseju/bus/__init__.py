"""2 Commands in, events out."""
