"""Why did my order not fill? An order's story, told from the events: what happened, why, and what one can do."""
