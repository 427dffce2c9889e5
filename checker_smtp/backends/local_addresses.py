"""The source addresses of this machine, as the kernel would choose them; no packet is sent to find out."""

import socket

__all__ = ["local_addresses", "source_towards"]

# Any public address has the same route; these are a public resolver's.
_DESTINATIONS = {4: "9.9.9.9", 6: "2620:fe::fe"}


def local_addresses() -> dict[int, str]:
    """Return for each family (4, 6) the address that packets to the Internet leave from.

    It is empty where there is no route.
    """
    return {family: source_towards(destination) for family, destination in _DESTINATIONS.items()}


def source_towards(destination: str) -> str:
    """Return the address that packets to this address leave from; empty where there is no route."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # connecting a UDP socket only looks up the route
            probe.connect((destination, 53))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
