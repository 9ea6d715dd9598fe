"""The way from any earlier release's tables to this one's."""
