"""The ASGI middleware: the client of a request, its rights, and its limits in size and time."""
