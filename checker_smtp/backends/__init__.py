"""Access to the network: sockets on three runtimes, DNS, and recordings of both.

Import the submodule you need. Nothing is imported here, because a command line that only prints its
version should not pay for TLS and an event loop.
"""

if __name__ != "checker_smtp.backends":
    raise ImportError(
        f"{__name__!r} is a link in the source tree, not a package. Import checker_smtp.backends instead."
    )
