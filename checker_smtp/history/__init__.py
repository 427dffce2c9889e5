"""Kept checks: a file of SQLite that several processes read and write at once."""
