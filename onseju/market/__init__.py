"""6 The public market: instruments, depth, trades, candles."""
