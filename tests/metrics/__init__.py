"""Counters of sites with several processes, and under everything that may happen to them."""
