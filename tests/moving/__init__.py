"""Sessions that move from one engine to another."""
