"""Politeness to the servers of others: limits, delays, pauses after a refusal, and exclusions.

limiter       limits on simultaneous sessions, the delay between two, and the runner that keeps both
backoff       the replies after which a server is given a pause
exclusions    the domains and networks that are never contacted
"""
