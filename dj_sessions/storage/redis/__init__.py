"""Redis and Valkey themselves, without a cache in between: each session is one entry.

``storage.RedisStorage`` is what an engine uses, with the server that ``server_of()`` returns.
"""
