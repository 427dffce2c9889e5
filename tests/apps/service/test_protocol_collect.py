"""`/collect`: the options, the rules, the given MX records, and the entries for the TLS checker."""

import msgspec
import pytest

from checker_smtp.probes.ports import DnsStatus
from checker_smtp.probes.rules import RULES
from checker_smtp.report.document import load_observation
from checker_smtp.service.happydomain.static_mx import StaticMxBackend
from checker_smtp.testing import FakeNetwork, FakeResolver, ScriptedServer
from tests.apps.service.hosted import HappyDomain, folded, recorded, service
from tests.probes.world import questions

pytestmark = pytest.mark.anyio

OPTIONS: dict[str, object] = {"domain": "example.org", "helo_name": "probe.test"}
ZONE = """
    example.org         MX    10 old.example.org.
    old.example.org     A     192.0.2.1
    new.example.org     A     192.0.2.7
    mx.sub.example.org  A     192.0.2.7
    7.2.0.192.in-addr.arpa  PTR  new.example.org.
"""
HELLO = """
    S: 220 mx.example.org ESMTP
    C: EHLO probe.test
    S: 250 mx.example.org
    C: QUIT
    S: 221 bye
"""


class RefusingNetwork(FakeNetwork):
    """A zone and servers; an address without a dialogue of its own refuses the connection."""

    def __init__(self, zone: str = ZONE, **dialogues: str) -> None:
        given = {name.removeprefix("at_").replace("_", "."): text for name, text in dialogues.items()}
        self.names = FakeResolver(zone)
        self.servers = ScriptedServer({"192.0.2.1": "-- refused", "192.0.2.7": "-- refused", **given})
        super().__init__(self.names, self.servers)


def switched_off(*names: str) -> dict[str, bool]:
    return dict.fromkeys(names, False)


def mx(*records: object, **more: object) -> dict[str, object]:
    """The host's service option; a record is its target, or its fields."""
    header = {"Name": "", "Rrtype": 15, "Class": 1, "Ttl": 3600, "Rdlength": 0}
    entries = [
        {"Hdr": header, "Preference": 10, **(r if isinstance(r, dict) else {"Mx": r})} for r in records
    ]
    return {"_svctype": "svcs.MXs", "_svcid": "x", **more, "Service": {"mx": entries}}


async def test_the_whole_observation_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    host, options, case = recorded("postfix-open-relay", monkeypatch)
    collected = await host.collect(options)
    seen = load_observation(msgspec.json.encode(collected.data))
    assert seen.settings.probe_address == case.options.test_probe_address
    assert [s.purpose for s in seen.endpoints[0].sessions] == ["main", "relay-control"]
    assert seen.dns == tuple(sorted(case.dns, key=lambda answer: (answer.name, answer.rdtype)))


async def test_what_is_as_it_is_by_default_is_left_out() -> None:
    (answer,) = (await HappyDomain(service(RefusingNetwork("example.org MX 0 ."))).collect(OPTIONS)).data[
        "dns"
    ]
    assert answer["status"] == "answer"
    collected = await HappyDomain(service(RefusingNetwork("example.org TXT x"))).collect(OPTIONS)
    assert collected.entries is msgspec.UNSET
    assert collected.data["mx"] == {"status": "nodata", "address_status": ["nodata", "nodata"]}


async def test_options_reach_the_check() -> None:
    world = RefusingNetwork()
    options = {
        **OPTIONS,
        "domain": "Example.ORG.",
        "timeout": 7.0,
        "test_null_sender": False,
        "test_postmaster": None,
        "test_probe_address": "",
        "of the future": {"x": 1},
    }
    middleware = service(world, port=2525, max_timeout=7.0, resolver_name="192.0.2.53")
    data = (await HappyDomain(middleware).collect(options)).data
    assert world.servers.connected == [("192.0.2.1", 2525)]
    assert data["resolver"] == "192.0.2.53"
    settings = data["settings"]
    assert (settings["timeout"], settings["port"], settings["helo_name"]) == (7.0, 2525, "probe.test")
    assert (settings["test_null_sender"], settings["test_postmaster"]) == (False, True)
    assert settings["probe_address"] == "postmaster@example.com"


async def test_the_usual_timeout_is_bounded_too() -> None:
    data = (await HappyDomain(service(RefusingNetwork(), max_timeout=3.0)).collect(OPTIONS)).data
    assert data["settings"]["timeout"] == 3.0


async def test_what_is_not_public_is_not_dialled() -> None:
    world = RefusingNetwork()
    collected = await HappyDomain(service(world, allow_targets=())).collect(OPTIONS)
    assert world.servers.connected == []
    assert collected.entries is msgspec.UNSET
    states = folded(await HappyDomain(service(world)).evaluate(collected.data))
    assert [state.code for state in states["smtp.mx_sanity"]] == ["smtp.mx.not_public"]


async def test_nobody_is_visited_for_the_dns_rules_alone() -> None:
    world = RefusingNetwork()
    dns_rules = {"smtp.null_mx", "smtp.mx_present", "smtp.mx_sanity"}
    off = switched_off(*(RULES.keys() - dns_rules))
    collected = await HappyDomain(service(world)).collect(OPTIONS, enabledRules=off)
    assert world.servers.connected == []
    assert not any(rdtype == "PTR" for _, rdtype in world.names.asked)
    states = folded(await HappyDomain(service(world)).evaluate(collected.data, enabledRules=off))
    assert set(states) == dns_rules
    assert {state.status for rule_states in states.values() for state in rule_states} == {1}


async def test_nothing_is_asked_that_no_rule_wants() -> None:
    transactions = ("smtp.null_sender", "smtp.postmaster", "smtp.open_relay")
    off = switched_off(*transactions, "smtp.starttls_handshake", "smtp.tls_quality", "smtp.extension_posture")
    world = RefusingNetwork(at_192_0_2_1=HELLO)
    collected = await HappyDomain(service(world)).collect(OPTIONS, enabledRules=off)
    assert [address for address, _ in world.servers.connected] == ["192.0.2.1"]
    assert collected.data["rules"] == sorted(RULES.keys() - off.keys())


@pytest.mark.parametrize("switches", [None, {}, {"smtp.null_mx": True}, {"of.the.future": False}])
async def test_rules_are_on_unless_they_are_off(switches: object) -> None:
    data = (await HappyDomain(service(RefusingNetwork())).collect(OPTIONS, enabledRules=switches)).data
    assert "rules" not in data


async def test_an_entry_for_each_target() -> None:
    more = ("20 new.example.org.", "30 192.0.2.1.", "40 old.example.org.")
    zone = ZONE + "".join(f"example.org MX {record}\n" for record in more)
    first, second = (await HappyDomain(service(RefusingNetwork(zone), port=2525)).collect(OPTIONS)).entries
    assert msgspec.to_builtins(first) == {
        "type": "tls.endpoint.v1",
        "ref": "smtp:old.example.org:2525",
        "payload": {"host": "old.example.org", "port": 2525, "starttls": "smtp", "require_starttls": False},
    }
    assert second.ref == "smtp:new.example.org:2525"
    again, _ = (await HappyDomain(service(RefusingNetwork(zone), port=2525)).collect(OPTIONS)).entries
    assert again == first


async def test_the_host_s_records_are_used_instead() -> None:
    world = RefusingNetwork()
    service_option = mx({"Preference": 20.0, "Mx": "old.example.org."}, "new")
    collected = await HappyDomain(service(world)).collect({**OPTIONS, "service": service_option})
    assert ("example.org", "MX") not in world.names.asked
    assert [(r["preference"], r["target"]) for r in collected.data["mx"]["records"]] == [
        (10, "new.example.org"),
        (20, "old.example.org"),
    ]
    (answer,) = [answer for answer in collected.data["dns"] if answer["rdtype"] == "MX"]
    assert answer == {
        "name": "example.org",
        "rdtype": "MX",
        "status": "answer",
        "records": ["example.org. 0 IN MX 20 old.example.org.", "example.org. 0 IN MX 10 new.example.org."],
        "detail": "given with the request, not asked for in the DNS",
    }
    page = await HappyDomain(service(world)).page(collected.data)
    assert "given with the request, not asked for in the DNS" in page


async def test_only_the_domain_s_own_mx_question_is_answered() -> None:
    world = RefusingNetwork(ZONE + "example.com MX 0 .\n")
    zone = StaticMxBackend(world, "example.org", ((10, "new.example.org."),))
    for name, rdtype in (("example.com", "MX"), ("example.org", "A"), ("sub.example.org", "MX")):
        assert (await zone.resolve(name, rdtype)).detail == ""
        assert world.names.asked.pop() == (name, rdtype)
    assert (await zone.resolve("example.org", "MX")).records == ("example.org. 0 IN MX 10 new.example.org.",)


async def test_a_null_mx_that_is_not_published_yet() -> None:
    world = RefusingNetwork()
    collected = await HappyDomain(service(world)).collect(
        {**OPTIONS, "service": mx({"Preference": 0, "Mx": "."})}
    )
    assert questions(world.names) == []
    assert world.servers.connected == []
    (state,) = await HappyDomain(service(world)).evaluate(collected.data)
    assert (state.status, state.code) == (2, "smtp.null_mx")


async def test_an_empty_set_is_a_zone_without_mx() -> None:
    world = RefusingNetwork("example.org MX 10 old.example.org.")
    collected = await HappyDomain(service(world)).collect({**OPTIONS, "service": mx()})
    assert ("example.org", "MX") not in world.names.asked
    states = folded(await HappyDomain(service(world)).evaluate(collected.data))
    assert [state.code for state in states["smtp.mx_present"]] == ["smtp.mx.none"]


@pytest.mark.parametrize(
    "given", [None, "", {}, {"_svctype": "svcs.MXs"}, {"Service": None}, {"Service": {"mx": None}}]
)
async def test_without_records_the_published_ones_are_asked_for(given: object) -> None:
    world = RefusingNetwork()
    await HappyDomain(service(world)).collect({**OPTIONS, "service": given})
    assert ("example.org", "MX") in world.names.asked


@pytest.mark.parametrize(
    ("below", "domain", "target"),
    [
        ("", "example.org", "mx.example.org"),
        ("@", "example.org", "mx.example.org"),
        (None, "example.org", "mx.example.org"),
        ("Sub", "sub.example.org", "mx.sub.example.org"),
        ("example.org.", "example.org", "mx.example.org"),
        ("sub.example.org.", "sub.example.org", "mx.sub.example.org"),
    ],
)
async def test_names_are_relative_to_the_service_s_own_domain(
    below: object, domain: str, target: str
) -> None:
    world = RefusingNetwork(ZONE + "mx.example.org A 192.0.2.7")
    collected = await HappyDomain(service(world)).collect({**OPTIONS, "service": mx("mx", _domain=below)})
    assert collected.data["domain"] == domain
    assert [record["target"] for record in collected.data["mx"]["records"]] == [target]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("@", "example.org"),
        ("b\u00fccher", "xn--bcher-kva.example.org"),
        ("a b.", "a\\032b"),
        ("a\r\n0 IN MX 0 evil.test.", "a\\013\\0100\\032in\\032mx\\0320\\032evil.test"),
        ('"x;$(reboot).', '\\"x\\;\\$\\(reboot\\)'),
        ("192.0.2.1.", "192.0.2.1"),
    ],
)
async def test_a_name_stays_one_name(name: str, target: str) -> None:
    data = (await HappyDomain(service(RefusingNetwork())).collect({**OPTIONS, "service": mx(name)})).data
    assert [record["target"] for record in data["mx"]["records"]] == [target]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (7, "Expected `object`, got `int`"),
        ([], "Expected `object`, got `array`"),
        ({"_svctype": "svcs.SPF"}, "only svcs.MXs has MX records"),
        ({"_svctype": 7}, "Expected `str`, got `int`"),
        (mx("mx", _domain="a b"), "no host name has"),
        (mx("mx", _domain=3), "Expected `str | null`, got `int`"),
        ({"Service": []}, "Expected `object | null`, got `array`"),
        ({"Service": {"mx": {}}}, "Expected `array | null`, got `object`"),
        (mx({"Mx": 1}), "Expected `str`, got `int`"),
        (mx({"Mx": ""}), "a record has no target"),
        (mx("a..b"), "'a..b' is not a name"),
        (mx("a" * 64), "is not a name"),
        (mx(".".join(["a" * 60] * 5)), "is not a name"),
        (mx("x" * 2000), "length <= 1024"),
        (mx("\\9"), "is not a name"),
        (mx("\\256."), "is not a name"),
        (mx("\u202e."), "is not a name"),
        (mx({"Mx": "a", "Preference": -1}), ">= 0"),
        (mx({"Mx": "a", "Preference": 65536}), "<= 65535"),
        (mx({"Mx": "a", "Preference": 1.5}), "multiple of 1"),
        (mx({"Mx": "a", "Preference": "1"}), "got `str`"),
        (mx(*["a"] * 101), "length <= 100"),
    ],
)
async def test_records_that_cannot_be(given: object, says: str) -> None:
    world = RefusingNetwork()
    said = await HappyDomain(service(world)).refused("/collect", {"options": {**OPTIONS, "service": given}})
    assert says in said
    assert said.startswith(("service", "'a b"))
    assert world.names.asked == []


async def test_a_resolver_that_answers_nothing() -> None:
    world = RefusingNetwork()
    world.resolver = FakeResolver.failing(DnsStatus.TIMEOUT, "no answer in 5 s")
    said = await HappyDomain(service(world)).refused("/collect", {"options": OPTIONS}, 500)
    assert said == "the resolver cannot be used: no answer in 5 s"
