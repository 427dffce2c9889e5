"""One address, asked everything: as many connections as its faults make necessary, mostly one.

Three tables say what is sent, one reducer says when:

* `TRANSACTIONS`: the questions, with the options that switch them on.
* `FALLBACKS`: the faults that end a connection early, each with the changed specification of the next one.
* `FOLLOW_UPS`: the answers that call for one more question on a connection of its own.
* `reducer`: from the result of one connection to the specification of the next, for all domains.

`session` is the script of one connection, `probe` runs what the reducer asks for.
"""

from .probe import EndpointProbe
from .transactions import transactions_for

__all__ = ["EndpointProbe", "transactions_for"]
