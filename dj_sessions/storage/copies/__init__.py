"""A copy in a cache in front of the rows, which must never say what the database would not."""
