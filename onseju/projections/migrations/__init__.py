"""Alembic's scripts. A migration that changes what rows mean empties `progress`: the tables are then rebuilt."""
