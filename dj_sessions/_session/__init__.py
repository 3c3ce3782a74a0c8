"""What a session is made of: its data, its key, its end, the merge, and the two modes.

For the engines in ``backends/``. Nothing here knows a store, a request or a cookie.
"""
