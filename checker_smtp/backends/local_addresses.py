"""This machine's own addresses, as the kernel would choose them; nothing is sent to find out."""

import socket

__all__ = ["local_addresses"]

# Connecting a UDP socket only looks up the route. The two are public resolvers' addresses; any public
# address would do.
_SOMEWHERE = {4: (socket.AF_INET, "9.9.9.9"), 6: (socket.AF_INET6, "2620:fe::fe")}


def local_addresses() -> dict[int, str]:
    """For each family (4, 6) the address that packets to the Internet would leave from; empty for "
    "no route."""
    return {family: _source(*destination) for family, destination in _SOMEWHERE.items()}


def _source(family: socket.AddressFamily, destination: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((destination, 53))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
