"""Situations in which the resolver is at fault, or only seems to be: the same as in `dns_situations`."""

from tests.apps.dns_situations import SERVER, V4, WELL, Situation, answer

OURS = "That is the resolver of this side"
DUAL_STACK = "a.root-servers.net A 198.41.0.4\na.gtld-servers.net A 192.5.6.30\n"
ONLY_IPV6 = "good.test MX 10 six.test.\nsix.test TXT x\n"

RESOLVER_SITUATIONS = {
    "the answer for MX is truncated and cannot be had over TCP": Situation(
        f"{SERVER}\ngood.test MX !unusable the answer was cut short, and over TCP it was refused",
        ["not_tested info not-tested"],
        "unknown",
        OURS,
    ),
    "the addresses of the target cannot be had": Situation(
        f"{SERVER}\ngood.test MX 10 big.test.\nbig.test A !unusable cut short\nbig.test AAAA !unusable cut",
        ["not_tested info not-tested"],
        "unknown",
        OURS,
    ),
    "one family of the target cannot be had": Situation(
        f"{SERVER}\ngood.test MX 10 big.test.\nbig.test A {V4}\nbig.test AAAA !unusable cut",
        ["mx.address_lookup_failed info not-tested big.test"],
        says="that is the resolver of this side",
    ),
    "the resolver leaves out AAAA records": Situation(
        DUAL_STACK + ONLY_IPV6,
        ["not_tested info not-tested"],
        "unknown",
        "six.test AAAA (NODATA, as this resolver answers for every name). That is the resolver of this side",
    ),
    "the resolver leaves out AAAA records, for a domain without MX": Situation(
        f"{DUAL_STACK}good.test TXT x", ["not_tested info not-tested"], "unknown", OURS
    ),
    "a target without an address, and AAAA records for others": Situation(
        f"{DUAL_STACK}a.root-servers.net AAAA 2001:503:ba3e::2:30\n{ONLY_IPV6}",
        ["mx.unresolved crit fail six.test"],
        "refused",
        "has neither an A nor an AAAA record",
    ),
    "a private root has one of the hosts with an A record": Situation(
        f"a.root-servers.net A 10.0.0.53\n{ONLY_IPV6}",
        ["mx.unresolved crit fail six.test"],
        "refused",
        "has neither an A nor an AAAA record",
    ),
    "the PTR lookup gives nothing": Situation(
        WELL.replace("7.2.0.192.in-addr.arpa PTR mx.host.test.", "7.2.0.192.in-addr.arpa PTR !unusable cut"),
        ["ptr.lookup_failed info not-tested 192.0.2.7:25"],
    ),
    "the resolver refuses the root only": Situation(WELL + ". NS !refused", []),
    "a private root without com": Situation(f"{WELL}\n. NS ns.corp.test.", []),
    "DNS64 in the well-known prefix": Situation(
        f"good.test MX 10 m.test.\nm.test A {V4}\nm.test AAAA 64:ff9b::c000:207\n"
        "7.2.0.192.in-addr.arpa PTR m.test.",
        ["mx.translated info not-applicable m.test", "ipv6.none info fail"],
        says="64:ff9b::c000:207 was made of 192.0.2.7 by the resolver (DNS64)",
    ),
    "DNS64 in the network's own prefix": Situation(
        f"good.test MX 10 m.test.\nm.test A {V4}\nm.test AAAA 2001:db8:64:c000:2:700::\n"
        "7.2.0.192.in-addr.arpa PTR m.test.\nipv4only.arpa AAAA 2001:db8:64:c000:0:aa00::",
        ["mx.translated info not-applicable m.test", "ipv6.none info fail"],
    ),
    "an address that only looks like a translation": Situation(
        f"{SERVER}\ngood.test MX 10 m.test.\nm.test A {V4}\nm.test AAAA 2001:db8:64::c000:207",
        ["ptr.missing warn fail [2001:db8:64::c000:207]:25"],
    ),
    "the resolver is silent for AAAA, whatever the name": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.\nt.test A {V4}\nt.test AAAA !timeout no answer",
        ["mx.address_lookup_failed info not-tested t.test"],
        answers=(answer("AAAA *.invalid", status="timeout"),),
    ),
    "the resolver fails for AAAA, whatever the name": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.\nt.test A {V4}\nt.test AAAA !servfail SERVFAIL",
        ["mx.address_lookup_failed info not-tested t.test"],
        says="that is the resolver of this side",
        answers=(answer("AAAA *.invalid", status="servfail"),),
    ),
    "the resolver knows no MX, whatever the name": Situation(
        f"{SERVER}\ngood.test MX !error NOTIMP",
        ["not_tested info not-tested"],
        "unknown",
        OURS,
        (answer("MX *.invalid", status="error", detail="NOTIMP"),),
        not_says="answers for other names",
    ),
    "the resolver is silent for MX, whatever the name": Situation(
        f"{SERVER}\ngood.test MX !timeout no answer",
        ["not_tested info not-tested"],
        "unknown",
        OURS,
        (answer("MX *.invalid", status="timeout"),),
    ),
    "the resolver refuses names that cannot exist, and a target fails": Situation(
        f"{SERVER}\ngood.test MX 10 t.test.\nt.test A {V4}\nt.test AAAA !refused REFUSED",
        ["mx.address_lookup_failed warn fail t.test"],
        answers=tuple(answer(f"{t} *.invalid", status="refused") for t in ("A", "AAAA", "MX")),
    ),
}
UNTRUE = {
    "the root and com are denied": (
        "good.test TXT x",
        (answer("NS .", status="nodata"), answer("NS com", status="nxdomain")),
        "it says that neither the root of the DNS nor com has name servers",
    ),
    "an address is invented, and no MX": (
        "good.test A 192.0.2.66",
        (answer("A *.invalid", "*.invalid. 60 IN A 192.0.2.66"),),
        "it has an address for",
    ),
    "the target's address is the invented one": (
        "good.test MX 10 gone.test.\ngone.test A 192.0.2.66\ngone.test AAAA 2001:db8::7",
        (answer("A *.invalid", "*.invalid. 60 IN A 192.0.2.66"),),
        "it has an address for",
    ),
    "the MX is the invented one": (
        "good.test MX 10 park.test.\npark.test A 192.0.2.66",
        (answer("MX *.invalid", "*.invalid. 60 IN MX 10 park.test."),),
        "it has an MX record for",
    ),
    "a null MX is invented": (
        "good.test MX 0 .",
        (answer("MX *.invalid", "*.invalid. 60 IN MX 0 ."),),
        "it has an MX record for",
    ),
    "a name without MX does not exist": (
        "x.test TXT x",
        (
            answer("MX good.test", status="nxdomain"),
            answer("A good.test", f"good.test. 60 IN A {V4}"),
            answer("MX .", status="nxdomain"),
            answer("MX com", status="nxdomain"),
        ),
        "it says that a name that has no MX record does not exist",
    ),
}
