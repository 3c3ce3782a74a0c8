"""A small Django site on which sessions can be seen at work. Start it with `manage.py demo`."""
