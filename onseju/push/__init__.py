"""4 SSE and WebSocket out of one ring."""
