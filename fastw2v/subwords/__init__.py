"""Vectors composed of words and their character n-grams: which n-grams, which rows, and vectors of unseen words."""
