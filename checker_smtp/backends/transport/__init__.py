"""Sockets: the drivers that run a script over them, on each event loop."""
