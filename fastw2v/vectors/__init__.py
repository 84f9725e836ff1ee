"""Vectors: looked up, compared, read from files and written to files."""
