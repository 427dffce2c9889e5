"""How the world is reached: sockets on three runtimes, DNS, and the records of both.

Import the submodule you need. Nothing is imported here, because a command line that only prints its
version should not pay for TLS and an event loop.
"""
