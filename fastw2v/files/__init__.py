"""Folders and files on disk: a folder is written as a whole or not at all, and a stranger's file is checked first."""
