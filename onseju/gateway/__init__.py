"""1 HTTP in: parse, authenticate, limit. Decides nothing about money or matching."""
