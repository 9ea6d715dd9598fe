"""5 Events to tables in batches, and the queries on them."""
