"""Fake mail servers, resolvers and clocks: for the demo, the tests of this project, and those of others.

None of them needs a network. A server is a `Runner` and a resolver a `Resolver`
(`checker_smtp.probes.ports`), so a check runs against them as it does against real ones:

    from checker_smtp.testing import FakeNetwork, FakeResolver, RuleServer

    resolver = FakeResolver('''
        example.test     MX  10 mx.example.test.
        mx.example.test  A   192.0.2.7
    ''')
    network = FakeNetwork(resolver, RuleServer(relays=True))

- `RuleServer` answers any command by rules, with switches for what servers get wrong.
- `ScriptedServer` plays written dialogues and reports where the client departs from them.
- `RecordedServer` repeats the replies of an observation, `TranscriptServer` those of a transcript.
- `MessageServer` is a `RuleServer` that takes messages; `LiveServer` serves real clients.
- `FuzzServer` replies anything, on a network that may fail.
- `FakeResolver` answers from a `Zone`, which is DNS records as text.
- `FakeNetwork` is a resolver and a server as one backend, which `checker_smtp.check` accepts.
- `FakeClock` is set by hand; `SkippingEventLoop` and `backend_options` skip every wait of asyncio and trio.

`serve_session` serves a `RuleServer` over real streams, `serve_dns` and `DnsProtocol` a `Zone` over UDP.
"""

from .clock import FakeClock, SkippingEventLoop, backend_options
from .dns_server import DnsProtocol, serve_dns
from .faults import ENDINGS, FAULTS
from .fuzz_server import FuzzServer, NetworkFaults
from .live_server import LiveServer
from .message_server import MessageServer, ReceivedMessage
from .network import FakeNetwork
from .recorded_server import RecordedServer
from .rule_server import RuleServer, RuleSession
from .scripted_server import (
    CHECKER_VERBS,
    DialogueMismatch,
    DialogueStep,
    ScriptedServer,
    parse_dialogue,
    play_dialogue,
)
from .session import Pause, ScriptRunner, ServerSession, resume
from .stream import serve_session, server_tls_context
from .transcript_server import TranscriptServer
from .zone import FakeResolver, Zone

__all__ = [
    "CHECKER_VERBS",
    "ENDINGS",
    "FAULTS",
    "DialogueMismatch",
    "DialogueStep",
    "DnsProtocol",
    "FakeClock",
    "FakeNetwork",
    "FakeResolver",
    "FuzzServer",
    "LiveServer",
    "MessageServer",
    "NetworkFaults",
    "Pause",
    "ReceivedMessage",
    "RecordedServer",
    "RuleServer",
    "RuleSession",
    "ScriptRunner",
    "ScriptedServer",
    "ServerSession",
    "SkippingEventLoop",
    "TranscriptServer",
    "Zone",
    "backend_options",
    "parse_dialogue",
    "play_dialogue",
    "resume",
    "serve_dns",
    "serve_session",
    "server_tls_context",
]
