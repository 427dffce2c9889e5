"""The source addresses of this machine, as the kernel would choose them; no packet is sent to find out."""

import socket

__all__ = ["local_addresses"]

# Connecting a UDP socket only looks up the route. Any public address has the same effect; these are a public
# resolver's.
_DESTINATIONS = {4: (socket.AF_INET, "9.9.9.9"), 6: (socket.AF_INET6, "2620:fe::fe")}


def local_addresses() -> dict[int, str]:
    """Return for each family (4, 6) the address that packets to the Internet leave from.

    It is empty where there is no route.
    """
    return {family: _source(*destination) for family, destination in _DESTINATIONS.items()}


def _source(family: socket.AddressFamily, destination: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((destination, 53))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
