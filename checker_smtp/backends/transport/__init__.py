"""Drivers: what runs a script over a socket, on each event loop."""
