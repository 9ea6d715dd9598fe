"""3 The single writer: sequence, journal, apply, publish."""
