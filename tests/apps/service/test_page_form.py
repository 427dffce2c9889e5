"""The form: what it shows, what it refuses and in which words, and that nobody is asked before that."""

import re
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from checker_smtp.probes.observation import Settings
from checker_smtp.probes.options import OptionError, Options
from checker_smtp.service.http.middleware import Middleware
from checker_smtp.service.web.form import (
    Form,
    check_query,
    default_fields,
    form_query,
    parse_fields,
    parse_options,
)
from checker_smtp.testing import FakeNetwork
from tests.apps.service.middleware_app import client
from tests.apps.service.pages import by_id, shown, sound
from tests.probes.observations import observation
from tests.report.page import words

T = TypeVar("T")
pytestmark = pytest.mark.anyio

FORM = {"content-type": "application/x-www-form-urlencoded"}
SWITCHES = ("test_null_sender", "test_postmaster", "test_open_relay")
TOKEN = "0123456789abcdef"
WITH_TOKEN = {"authorization": f"Bearer {TOKEN}"}
OPERATORS = ("helo_name", "test_probe_address")
NAMES = ("domain", "timeout", "helo_name", "test_probe_address", *SWITCHES)


def service(**settings: Any) -> Middleware:
    return shown(FakeNetwork, **settings)


async def posted(middleware: Middleware, status: int, **fields: str) -> str:
    async with client(middleware) as browser:
        answer = await browser.post("/check", data=fields, headers=WITH_TOKEN)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def make(given: Any) -> Options:
    return Options(**given)


async def test_a_stranger_does_not_choose_the_name_and_the_mailbox() -> None:
    app = service(helo_name="operator.test")
    async with client(app) as browser:
        for page in (
            (await browser.get("/check", params={"domain": "a.test", "helo_name": "b.test"})).text,
            # neither used nor validated
            await posted(app, 400, domain="", helo_name="a b", test_probe_address="nobody"),
        ):
            fields = by_id(sound(page))
            assert not set(OPERATORS) & fields.keys()
            assert set(NAMES) - set(OPERATORS) <= fields.keys()
            assert not [name for name in fields if name.endswith("-error") and name != "domain-error"]


async def test_the_empty_form() -> None:
    async with client(service(token=TOKEN, helo_name="operator.test")) as browser:
        answer = await browser.get("/check", headers=WITH_TOKEN)
    assert answer.status_code == 200
    tree = sound(answer.text)
    fields = by_id(tree)
    assert set(NAMES) <= fields.keys()
    assert "autofocus" in fields["domain"].attrib
    assert fields["domain"].attrib["value"] == ""
    assert fields["helo_name"].attrib["value"] == "operator.test"
    assert all("checked" in fields[name].attrib for name in SWITCHES)
    options = next(tree.iter("details"))
    assert "open" not in options.attrib
    assert words(next(tree.iter("button"))) == "Check"


async def test_a_link_fills_the_form_in_and_asks_nobody() -> None:
    query = "domain=example.org&timeout=3&test_postmaster=false&unknown=1"
    async with client(service()) as browser:
        answer = await browser.get(f"/check?{query}")
    assert answer.status_code == 200
    tree = sound(answer.text)
    fields = by_id(tree)
    assert fields["domain"].attrib["value"] == "example.org"
    assert fields["timeout"].attrib["value"] == "3"
    assert "checked" not in fields["test_postmaster"].attrib
    assert "checked" in fields["test_null_sender"].attrib
    options = next(tree.iter("details"))
    assert "open" in options.attrib
    assert words(next(options.iter("summary"))) == "More options (2 changed)"
    assert words(next(tree.iter("button"))) == "Check again"


@pytest.mark.parametrize(
    "hostile",
    [
        '"><script>alert(1)</script>',
        "' autofocus onfocus=alert(1) x='",
        "</title></head><body onload=alert(1)>",
        "{{7*7}}{% raw %}",
        "a\x00b\x1b[31m\u202egro.elpmaxe\u200b",
        "é" * 350,
    ],
)
async def test_hostile_text_in_every_field(hostile: str) -> None:
    fields = dict.fromkeys(NAMES, hostile)
    page = await posted(service(token=TOKEN), 400, **fields)
    async with client(service(token=TOKEN)) as browser:
        linked = await browser.get("/check", params=fields, headers=WITH_TOKEN)
    for text in (page, linked.text):
        sound(text)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert len(text) < 40_000


async def test_errors_are_shown_at_each_field_and_the_input_is_kept() -> None:
    page = await posted(
        service(token=TOKEN),
        400,
        domain="https://example.org/",
        timeout="soon",
        helo_name="me",
        test_postmaster="false",
    )
    tree = sound(page)
    fields = by_id(tree)
    assert {name for name in NAMES if "aria-invalid" in fields[name].attrib} == {"domain", "timeout"}
    errors = {"domain": "is a URL", "timeout": "'soon' is not a number: give seconds, for example 12."}
    for name, error in errors.items():
        assert error in words(fields[f"{name}-error"])
        assert f"{name}-error" in fields[name].attrib["aria-describedby"].split()
    alert = next(element for element in tree.iter() if element.attrib.get("role") == "alert")
    assert [a.attrib["href"] for a in alert.iter("a")] == ["#domain", "#timeout"]
    assert fields["domain"].attrib["value"] == "https://example.org/"
    assert fields["timeout"].attrib["value"] == "soon"
    assert "checked" not in fields["test_postmaster"].attrib
    # the focus is in the first field that is wrong, and what holds the second one is open
    assert [e.attrib["id"] for e in tree.iter() if "autofocus" in e.attrib] == ["domain"]
    assert "open" in next(tree.iter("details")).attrib
    assert words(next(tree.iter("title"))).startswith("Error: ")


async def test_an_error_among_the_options_is_in_sight() -> None:
    tree = sound(await posted(service(token=TOKEN), 400, domain="example.org", test_probe_address="nobody"))
    assert "open" in next(tree.iter("details")).attrib
    assert [e.attrib["id"] for e in tree.iter() if "autofocus" in e.attrib] == ["test_probe_address"]


@pytest.mark.parametrize("name", ["domain", "helo_name", "test_probe_address"])
@pytest.mark.parametrize(
    "bad", ["{}\r\nRCPT TO:<a@b.test>", "{}\n", "{}\r", "<{}>", "{} SIZE=1", "a,{}", "{}\x00", "{}\t"]
)
async def test_line_breaks_and_metacharacters(name: str, bad: str) -> None:
    good = "a@example.org" if name == "test_probe_address" else "example.org"
    page = await posted(service(token=TOKEN), 400, **{"domain": "example.org"} | {name: bad.format(good)})
    assert [key for key in by_id(sound(page)) if key.endswith("-error")] == [f"{name}-error"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "expected"),
    [
        (b"", FORM, 400, "Domain is missing: give a host name such as example.com."),
        (b"domain=", FORM, 400, "Domain is empty: give a host name such as example.com."),
        (b"domain=%ff%fe.test", FORM, 400, "is not an internationalised host name"),
        (b"\xff\x00=&&;==%%%", FORM, 400, "Domain is missing"),
        (b"&".join(b"domain=a.test" for _ in range(500)), FORM, 400, "Domain is missing"),
        (b'{"domain": "a.test"}', {"content-type": "application/json"}, 415, "The request is not a form"),
        (b"domain=a.test", {}, 415, "The request is not a form"),
        (b"domain=a.test&timeout=9999", FORM, 400, "give at most 30 seconds here."),
        (b"domain=a.test&timeout=nan", FORM, 400, "Timeout is nan: give seconds"),
        (b"domain=a.test&test_postmaster=maybe", FORM, 400, "give true or false."),
    ],
)
async def test_bad_bodies(content: bytes, headers: dict[str, str], status: int, expected: str) -> None:
    async with client(service()) as browser:
        answer = await browser.post("/check", content=content, headers=headers)
    assert answer.status_code == status
    assert expected in words(sound(answer.text))


async def test_other_methods() -> None:
    async with client(service()) as browser:
        assert (await browser.head("/check")).status_code == 200
        answer = await browser.put("/check")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_refusals_keep_the_form_and_say_when_to_come_back() -> None:
    page = await posted(service(allow_domains=("example.net",)), 403, domain="example.org", timeout="5")
    tree = sound(page)
    assert "example.org is not one of the domains that this service checks." in words(tree)
    assert by_id(tree)["timeout"].attrib["value"] == "5"
    assert next(e for e in tree.iter() if e.attrib.get("role") == "alert") is not None

    app = service(max_checks=0)
    async with client(app) as browser:
        answer = await browser.post("/check", data={"domain": "example.org"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "try again soon" in words(sound(answer.text))


async def test_the_usual_timeout_is_one_that_is_allowed() -> None:
    app = service(max_timeout=5.0, allow_domains=("example.net",))
    async with client(app) as browser:
        fields = by_id(sound((await browser.get("/check")).text))
    assert fields["timeout"].attrib["value"] == "5"
    # 403, not 400: the form as it was offered is fine
    await posted(app, 403, domain="example.org", timeout="5")


def test_the_last_of_several_values_counts() -> None:
    assert parse_fields("test_postmaster=false&test_postmaster=true", NAMES)["test_postmaster"] == "true"
    assert parse_fields("domain=+a.test+&unknown=1&helo_name=b.test", {"domain"}) == {"domain": "a.test"}


def test_what_is_read_is_what_a_program_would_have_given() -> None:
    got: list[Any] = []

    def noted(given: Any) -> Options:
        got.append(dict(given))
        return make(given)

    parse_options(
        {"domain": "a.test", "timeout": "2.5", "test_open_relay": "off", "helo_name": "b.test"}, noted
    )
    assert got == [{"domain": "a.test", "timeout": 2.5, "test_open_relay": False, "helo_name": "b.test"}]


def test_errors_come_in_the_order_of_the_fields() -> None:
    wrong = parse_options(
        {"test_probe_address": "x", "helo_name": "", "timeout": "-1", "domain": "1.2.3.4"}, make
    )
    assert isinstance(wrong, dict)
    assert list(wrong) == ["domain", "timeout", "helo_name", "test_probe_address"]


def test_the_link_says_what_is_not_as_usual() -> None:
    as_usual = default_fields(NAMES, make)
    assert form_query({"domain": "a.test", "timeout": "12"}, as_usual) == "domain=a.test"
    changed = make({"domain": "bücher.test", "timeout": 0.5, "test_postmaster": False, "port": 26})
    settings = Settings(
        timeout=0.5,
        helo_name=changed.helo_name,
        sender=changed.sender,
        probe_address=changed.probe_address,
        test_null_sender=True,
        test_postmaster=False,
        test_open_relay=True,
        port=26,
        ipv4=True,
        ipv6=True,
    )
    seen = replace(observation(), domain=changed.domain, settings=settings)
    query = check_query(seen, as_usual)
    assert query == "domain=xn--bcher-kva.test&timeout=0.5&test_postmaster=false"
    assert (
        parse_options(parse_fields(query, NAMES), lambda given: make(dict(given) | {"port": 26})) == changed
    )


def test_an_option_that_is_no_field() -> None:
    def strange(given: Any) -> Options:
        raise OptionError("port", "port is 0")

    with pytest.raises(OptionError):
        default_fields(NAMES, strange)


def test_long_values_are_cut_where_they_are_shown() -> None:
    assert len(Form(defaults={"domain": ""}, given={"domain": "x" * 10_000}).values["domain"]) == 300
    assert re.fullmatch("x+", Form(defaults={"domain": ""}, given={"domain": "x" * 9}).values["domain"])
