"""Kept checks: a file of SQLite that several processes read and write at once.

schema    the tables, their versions, and the recognition of a file
failures  the sentence for an error of SQLite
store     the checks: keep, find, list, prune
baseline  the check that a new one is compared with
"""
