"""Look up vectors, compare them, read them from files and write them to files."""
