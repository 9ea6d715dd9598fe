"""KIS wire format: codec and local simulator."""
