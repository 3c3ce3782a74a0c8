"""Copies in a cache in front of rows: each step of the protocol, in every order."""
