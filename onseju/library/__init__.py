"""Onseju as a library: a whole exchange in one's own process, by single calls or by tables of orders."""
