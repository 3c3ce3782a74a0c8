"""What sessions a store has: counted in memory that does not grow with them, and drawn.

``manage.py sessionstats`` uses ``survey.py`` and ``plot.py``, the admin ``panel.py``.
"""
