"""Rows of a model: by prepared statements, or by the ORM where hooks force its path."""
