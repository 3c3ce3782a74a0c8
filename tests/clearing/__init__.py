"""Clearing expired sessions: what it removes, at what cost, and beside whom."""
