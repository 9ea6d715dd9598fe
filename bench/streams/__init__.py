"""SSE against WebSocket for account events, measured: `python -m bench.streams`."""
