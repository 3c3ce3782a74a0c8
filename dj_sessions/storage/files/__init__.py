"""Files in a directory, each written whole or not at all."""
