"""A drop-in replacement for ``django.contrib.sessions``."""

__version__ = "0.1.0"
