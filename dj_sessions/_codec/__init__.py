"""Session data to signed text and back, to the letter as Django does it.

For the engines and the storages: ``payloads`` for data, ``forwards`` for a key that has changed.
"""
