"""The lab's DNS: one authoritative nsd that the checker asks directly, in place of a resolver.

It serves the root as well: names of the lab are answered from `test.`, every other name gets the root's
NXDOMAIN with AA, and `. NS` has an answer, which is how a checker tells a resolver that is alive. The
example domains publish a null MX, as they do in the real DNS.
"""

import ipaddress
import shutil
from collections.abc import Iterable
from pathlib import Path

from .table import (
    ADVISED,
    ADVISED_ADDRESS,
    DNS_ADDRESS,
    DNS_PORT,
    MANY,
    POSTURES,
    PROBE,
    REFUSED_ADDRESS,
    SHAPES,
    SILENT_ADDRESS,
    domain,
)

_HEAD = """$ORIGIN {zone}
$TTL 60
@ SOA ns.e2e.test. hostmaster.e2e.test. 1 3600 600 86400 5
@ NS ns.e2e.test.
"""
_REVERSE = "127.in-addr.arpa."

_CONFIG = """server:
  ip-address: {address}@{port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: ""
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
"""


def command(folder: Path) -> list[str]:
    """Writes zones and configuration into the folder; the command that serves them in the foreground."""
    folder.mkdir()
    config = _CONFIG.format(address=DNS_ADDRESS, port=DNS_PORT, folder=folder)
    for zone, records in _zones().items():
        file = folder / f"{zone.rstrip('.') or 'root'}.zone"
        file.write_text(_HEAD.format(zone=zone) + "\n".join(records) + "\n")
        config += f'zone:\n  name: "{zone}"\n  zonefile: "{file}"\n'
    (folder / "nsd.conf").write_text(config)
    program = shutil.which("nsd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("nsd is not installed")
    return [program, "-d", "-c", str(folder / "nsd.conf")]


def _zones() -> dict[str, list[str]]:
    glue = f"ns.e2e.test. A {DNS_ADDRESS}"
    root = [f"{zone} NS ns.e2e.test." for zone in ("test.", _REVERSE)] + [glue]
    root += [f"example.{tld}. MX 0 ." for tld in ("com", "net", "org")]
    test = [glue, f"{domain('probe').removeprefix('probe.')}. TXT lab", f"{PROBE}. A 127.0.0.1"]
    reverse = [_pointer("127.0.0.1", PROBE)]
    for posture in POSTURES:
        test += [f"{posture.domain}. MX 10 {posture.host}.", f"{posture.host}. A {posture.address}"]
        if posture.pointer:
            reverse.append(_pointer(posture.address, posture.host))
    test += [f"{name}{ADVISED}. MX 10 mx.{ADVISED}." for name in ("", "*.")]
    test += [f"mx.{ADVISED}. A {ADVISED_ADDRESS}"]
    for name, (_, records) in SHAPES.items():
        test += _expanded(records, domain(name))
    test += [f"*.{domain(f'many{n}')}. MX 10 mx.{domain(name)}." for n, name in enumerate(MANY)]
    for name, address in (("silent", SILENT_ADDRESS), ("refused", REFUSED_ADDRESS)):
        reverse.append(_pointer(address, f"mx.{domain(name)}"))
    return {".": root, "test.": test, _REVERSE: reverse}


def _expanded(records: Iterable[str], name: str) -> list[str]:
    return [record.format(d=name + ".") for record in records]


def _pointer(address: str, name: str) -> str:
    return f"{ipaddress.ip_address(address).reverse_pointer}. PTR {name}."
