"""The HTTP service: a checker for happyDomain, and a web page for people without one.

Nothing is imported here, so that the command line can read the settings without loading a web framework.
"""
