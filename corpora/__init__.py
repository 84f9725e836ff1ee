"""Corpora to train on: ``python -m corpora NAME``."""
