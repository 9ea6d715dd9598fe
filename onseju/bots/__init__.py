"""Market maker and noise traders: plain users of the API."""
