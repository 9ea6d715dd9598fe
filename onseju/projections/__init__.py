"""5 Events to tables in batches, queries, migrations. Reads never touch the exchange."""
