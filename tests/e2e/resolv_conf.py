"""Resolve a name with the resolv.conf at PATH: `python -m tests.e2e.resolv_conf PATH`, in a namespace.

Servers that answer listen at fe80::53%lnk0 and 127.0.10.53, a silent one at 127.0.10.58. Prints the result
as JSON.
"""

import json
import socket
import subprocess
import sys
from threading import Thread

import anyio
import dns.flags
import dns.message
import dns.rrset

from checker_smtp.backends.dns.resolver import DnsResolver
from checker_smtp.backends.transport.transport import interface_index

_SETUP = (
    "ip link set lo up",
    "ip link add lnk0 type veth peer name lnk1",
    "ip link set lnk0 up",
    "ip link set lnk1 up",
    "ip -6 addr add fe80::53/64 dev lnk0 nodad",
)


def _listening(*address: str | int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if len(address) > 2 else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(address)
    return sock


def _answer(sock: socket.socket) -> None:
    while True:
        data, client = sock.recvfrom(2048)
        response = dns.message.make_response(dns.message.from_wire(data), recursion_available=True)
        response.answer.append(dns.rrset.from_text("mx.test.", 60, "IN", "MX", "10 a.mx.test."))
        sock.sendto(response.to_wire(), client)


def _main(path: str) -> None:
    for command in _SETUP:
        subprocess.run(command.split(), check=True)
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True)
    silent = _listening("127.0.10.58", 53)
    for sock in (_listening("127.0.10.53", 53), _listening("fe80::53", 53, 0, interface_index("lnk0"))):
        Thread(target=_answer, args=[sock], daemon=True).start()
    resolver = DnsResolver()
    seconds = []
    for _ in range(3):
        answer = anyio.run(resolver.resolve, "mx.test", "MX")
        seconds.append(answer.seconds)
    json.dump({"status": answer.status, "seconds": seconds, "notes": resolver.notes}, sys.stdout)
    silent.close()


if __name__ == "__main__":
    _main(sys.argv[1])
