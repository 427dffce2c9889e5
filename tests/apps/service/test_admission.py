"""Admission: the slots, the rates, the error for a refused check, and the release of every slot."""

import asyncio
import re
from contextlib import AsyncExitStack, ExitStack

import pytest
from limits.errors import StorageError

from checker_smtp.probes.evidence_budget import CHECK_RESERVE
from checker_smtp.probes.observation import Endpoint
from checker_smtp.service.admission import Admission, client_key
from checker_smtp.service.refusal import CheckRefused
from checker_smtp.service.settings import ServiceSettings, SettingError

pytestmark = pytest.mark.anyio


def settings(**given: object) -> ServiceSettings:
    usual: dict[str, object] = {"rate_client": "none", "rate_domain": "none"}
    return ServiceSettings(**(usual | given))  # type: ignore[arg-type]


async def ask(
    admission: Admission, client: str = "192.0.2.1", domain: str = "example.com"
) -> CheckRefused | None:
    """Take a place and give it back; what was said, where there was none."""
    try:
        async with admission.slot(client=client, domain=domain):
            return None
    except CheckRefused as refusal:
        return refusal


async def test_only_allowed_domains() -> None:
    admission = Admission(settings(allow_domains=("example.com", "*.Example.NET.", "*.bücher.example")))
    for domain in ("example.com", "a.example.net", "b.a.example.net", "a.xn--bcher-kva.example"):
        assert await ask(admission, domain=domain) is None
    for domain in ("a.example.com", "example.net", "badexample.net", "example.org", "example.com.evil.test"):
        refusal = await ask(admission, domain=domain)
        assert refusal is not None
        assert (refusal.status, refusal.retry_after) == (403, None)
        assert str(refusal) == f"{domain} is not one of the domains that this service checks"


async def test_the_places_of_all() -> None:
    admission = Admission(settings(max_checks=2))
    async with admission.slot(client="192.0.2.1", domain="a.test"):
        async with admission.slot(client="192.0.2.2", domain="b.test"):
            assert admission.checks_in_flight == 2
            refusal = await ask(admission, "192.0.2.3")
            assert refusal is not None
            assert refusal.status == 503
            assert refusal.retry_after
        assert await ask(admission, "192.0.2.3") is None
    assert admission.checks_in_flight == 0


async def test_one_client_cannot_hold_them_all() -> None:
    admission = Admission(settings(max_checks=3, max_checks_per_client=1))
    async with admission.slot(client="192.0.2.1", domain="a.test"):
        refusal = await ask(admission, "192.0.2.1")
        assert refusal is not None
        assert refusal.status == 429
        assert refusal.retry_after
        assert await ask(admission, "192.0.2.2") is None
    assert await ask(admission, "192.0.2.1") is None


@pytest.mark.parametrize(("places", "quarter"), [(20, 5), (8, 2), (7, 1), (2, 1)])
@pytest.mark.parametrize("network", ["192.0.2.1", "2001:db8:1:{:x}::1"])
async def test_a_visitor_holds_a_quarter_of_the_places_at_most(
    places: int, quarter: int, network: str
) -> None:
    admission = Admission(settings(max_checks=places, max_checks_per_client=places))
    async with AsyncExitStack() as held:
        for number in range(quarter):
            client = network.format(number)
            await held.enter_async_context(admission.slot(client=client, domain=f"d{number}.test"))
        refusal = await ask(admission, network.format(quarter))
        assert refusal is not None
        assert (refusal.status, refusal.reason) == (429, "client-busy")
        assert await ask(admission, "2001:db8:2::1") is None
        # the operator admitted a host that checks for many people
        async with admission.slot(client=network.format(0), domain="host.test", is_host=True):
            assert admission.checks_in_flight == quarter + 1


async def test_a_document_is_charged_to_its_client_and_needs_no_slot_of_a_check() -> None:
    admission = Admission(settings(max_checks=2, max_checks_per_client=1, rate_client="2/hour"))
    async with (
        admission.slot(client="10.0.0.1", domain="a.test", is_host=True),
        admission.document(client="10.0.0.1", octets=1000),
    ):
        with pytest.raises(CheckRefused, match="as many checks as one address may"):
            await admission.document(client="10.0.0.1", octets=1000).__aenter__()
        assert admission.checks_in_flight == 1
    with pytest.raises(CheckRefused, match="more than 2 checks per hour for your address"):
        await admission.document(client="10.0.0.1", octets=1000).__aenter__()
    async with (
        admission.document(client="10.0.0.2", octets=1000),
        admission.document(client="10.0.0.3", octets=1000),
    ):
        with pytest.raises(CheckRefused) as refused:
            await admission.document(client="10.0.0.4", octets=1000).__aenter__()
        assert refused.value.status == 503
    assert not admission._documents


async def test_at_the_end_of_the_evidence_new_work_is_refused() -> None:
    admission = Admission(settings())
    with ExitStack() as held:
        parts = admission.evidence.limit // CHECK_RESERVE
        for _ in range(parts - 1):
            held.enter_context(admission.evidence_part())
        with admission.evidence_part() as last:
            assert admission.evidence.in_use == admission.evidence.limit
            for refused in (admission.evidence_part(), admission.evidence_part(1, 1)):
                with pytest.raises(CheckRefused) as refusal, refused:
                    pass
                assert (refusal.value.status, refusal.value.retry_after) == (503, 5)
                assert refusal.value.reason == "evidence"
            with pytest.raises(CheckRefused):
                await admission.document(client="10.0.0.1", octets=1).__aenter__()
            # what was reserved for it is its own
            assert last.take(CHECK_RESERVE)
            assert not last.take(1)
        with admission.evidence_part():
            pass
    assert admission.evidence.in_use == 0


def server(address: str, *names: str) -> Endpoint:
    return Endpoint(address=address, port=25, targets=names, reverse=None)


async def test_the_rate_of_an_address() -> None:
    admission = Admission(settings(rate_address="2/hour"))
    for number in range(2):
        await admission.count_visits([server("192.0.2.7", f"mx{number}.d{number}.test")])
    with pytest.raises(CheckRefused) as refused:
        await admission.count_visits([server("192.0.2.7", "mx.other.test")])
    assert str(refused.value) == "more than 2 checks per hour for the mail server 192.0.2.7: try again later"
    assert (refused.value.status, refused.value.reason) == (429, "address-rate")
    await admission.count_visits([server("192.0.2.8", "mx.other.test")])


async def test_the_rate_of_a_provider_counts_a_check_once() -> None:
    admission = Admission(settings(rate_provider="2/hour"))
    both = [server("192.0.2.1", "mx1.example.co.uk"), server("192.0.2.2", "mx2.example.co.uk", "mx.b.test")]
    await admission.count_visits(both)
    await admission.count_visits([server("192.0.2.3", "mx3.example.co.uk")])
    with pytest.raises(CheckRefused, match=r"for the mail servers of example\.co\.uk: try again") as refused:
        await admission.count_visits([server("192.0.2.4", "mx4.example.co.uk")])
    assert refused.value.reason == "provider-rate"
    await admission.count_visits([server("192.0.2.4", "mx4.other.co.uk")])


async def test_places_are_given_back_by_failures_and_cancellation() -> None:
    admission = Admission(settings(max_checks=1))
    with pytest.raises(RuntimeError):
        async with admission.slot(client="192.0.2.1", domain="a.test"):
            raise RuntimeError

    async def hold() -> None:
        async with admission.slot(client="192.0.2.1", domain="a.test"):
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await asyncio.sleep(0)
    assert admission.checks_in_flight == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert admission.checks_in_flight == 0
    # nor is anything remembered of who has come and gone
    assert not admission._running


async def test_the_rate_of_a_client() -> None:
    admission = Admission(settings(rate_client="2/hour"))
    assert [await ask(admission, "192.0.2.1", f"{n}.test") for n in range(2)] == [None, None]
    refusal = await ask(admission, "192.0.2.1")
    assert refusal is not None
    assert refusal.status == 429
    assert refusal.retry_after is not None
    assert 1 <= refusal.retry_after <= 3600
    assert str(refusal) == "more than 2 checks per hour for your address: try again later"
    assert await ask(admission, "192.0.2.2") is None


async def test_the_rate_of_a_domain_is_shared_by_all_clients() -> None:
    admission = Admission(settings(rate_domain="1 per 2 hours; 100/day"))
    assert await ask(admission, "192.0.2.1", "a.test") is None
    refusal = await ask(admission, "192.0.2.2", "a.test")
    assert refusal is not None
    assert refusal.status == 429
    assert str(refusal) == "more than 1 checks per 2 hours for a.test: try again later"
    assert await ask(admission, "192.0.2.2", "b.test") is None


async def test_a_client_and_a_domain_of_one_name_are_counted_apart() -> None:
    admission = Admission(settings(rate_client="1/hour", rate_domain="1/hour"))
    assert await ask(admission, "testclient", "testclient") is None


async def test_who_finds_no_place_has_spent_nothing() -> None:
    admission = Admission(settings(rate_client="2/hour", max_checks_per_client=1, allow_domains=("a.test",)))
    async with admission.slot(client="192.0.2.1", domain="a.test"):
        for _ in range(5):
            assert await ask(admission, domain="a.test") is not None
            assert await ask(admission, domain="b.test") is not None
    assert await ask(admission, domain="a.test") is None


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:0db8:0001:ffff::", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_what_a_client_is_counted_by(client: str, counted: str) -> None:
    assert client_key(client) == counted


@pytest.mark.parametrize("failure", [StorageError(ConnectionError("redis://:secret@host")), None])
async def test_a_store_that_does_not_answer_lets_nobody_in(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Exception | None
) -> None:
    async def hit(*_: object) -> bool:
        if failure is not None:
            raise failure
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr("checker_smtp.service.rates._STORE_TIMEOUT", 0.01)
    admission = Admission(settings(rate_client="1/hour"))
    monkeypatch.setattr(admission._rates._limiter, "hit", hit)
    refusal = await ask(admission)
    assert refusal is not None
    assert refusal.status == 503
    assert refusal.retry_after
    assert admission.checks_in_flight == 0
    assert "rate storage" in caplog.text
    assert "secret" not in caplog.text + str(refusal)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"allow_domains": ("exa mple",)}, r"'exa mple' is not a domain pattern: give example\.com"),
        ({"allow_domains": ("*.",)}, "is not a domain pattern"),
        ({"allow_domains": ("a.*.test",)}, "is not a domain pattern"),
        ({"allow_domains": ("*",)}, "is not a domain pattern"),
        ({"rate_client": "often"}, "'often' is not a rate: give for example 30/minute"),
        ({"rate_domain": ""}, "'' is not a rate"),
        ({"rate_address": "20"}, "'20' is not a rate"),
        ({"rate_provider": "many"}, "'many' is not a rate"),
        ({"rate_domain": "10/fortnight"}, "is not a rate"),
        ({"rate_storage": "memcached://:secret@host"}, "the rate storage is unknown: give memory://"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said) as error:
        Admission(settings(**wrong))
    assert not re.search("secret|\n", str(error.value))
