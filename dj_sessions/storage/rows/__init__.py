"""Rows of a model: by prepared statements, or through the ORM where somebody must see them."""
