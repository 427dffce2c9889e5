"""The HTTP service: a checker for happyDomain, and a web page for people without one.

Nothing is imported here: what the command line needs to know of it must not cost a web framework.
"""
