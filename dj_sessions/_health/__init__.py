"""Whether the configured store keeps sessions: tried out on a session of nobody, which it removes.

``manage.py sessioncheck`` and the health URL use ``examination.py``.
"""
