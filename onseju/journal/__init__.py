"""The durable log of commands and events."""
