"""What the host can see of a running exchange: counters, latencies by stage, readiness, and what must always hold."""
