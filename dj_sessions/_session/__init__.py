"""What a session is made of: its data, its key, its end, the merge, and the two modes.

For the engines in ``backends/``. Nothing here knows a store, a request or a cookie.

A session is one class upon the other, each in a module of its own:

- ``twins``: what has async twins of its methods
- ``dictionary``: its data
- ``limited``: what the limits need, and when they end it
- ``lifetime``: its own expiry
- ``store_methods``: what an engine implements
- ``candidates``: which of several keys is its own
- ``session``: its key, its payload, how it is loaded, its life
- ``recorded``: the record that it is stored as, and the one that it came from
- ``compared``: how it is saved and merged
- ``key_changes``: how its key changes, and how it ends, beside other requests

``backends/stored.py`` completes it with a storage.
"""
