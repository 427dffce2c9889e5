"""The public addresses of this machine: they are in the report of a check, and private ones are not."""

import pytest

from checker_smtp.cli.checks import CheckRun
from checker_smtp.cli.own_addresses import public_source_addresses
from checker_smtp.probes.options import Options
from tests.apps.command import run

LOCAL = "checker_smtp.cli.own_addresses.local_addresses"


@pytest.mark.parametrize(
    ("local", "public"),
    [
        ({4: "9.9.9.10", 6: "2620:fe::10"}, ("9.9.9.10", "2620:fe::10")),
        ({4: "192.168.1.7", 6: "2620:fe::10"}, ("2620:fe::10",)),
        ({4: "100.64.0.7", 6: ""}, ()),
    ],
)
def test_those_that_the_kernel_would_choose(
    local: dict[int, str], public: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOCAL, lambda: local)
    assert public_source_addresses(None) == public


def test_a_given_one_is_the_only_one() -> None:
    assert public_source_addresses("9.9.9.11") == ("9.9.9.11",)
    assert public_source_addresses("10.0.0.7") == ()


def test_a_check_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Options] = []
    monkeypatch.setattr(LOCAL, lambda: {4: "9.9.9.10", 6: ""})

    async def checked(_: CheckRun, options: Options, *__: object) -> None:
        seen.append(options)

    monkeypatch.setattr(CheckRun, "_check", checked)
    run("check", "a.test", "b.test", "--resolver", "9.9.9.9", "--helo-name", "mx.a.test")
    assert [one.source_addresses for one in seen] == [("9.9.9.10",)] * 2
