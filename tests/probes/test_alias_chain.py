"""Alias chains: the name at whose end records count."""

import pytest

from checker_smtp.probes.dns.chain import follow_aliases


@pytest.mark.parametrize(
    ("owners", "cnames", "dnames", "names", "problem"),
    [
        ({"a"}, {}, {}, (), ""),
        ((), {}, {}, (), ""),
        ({"c"}, {"a": "b", "b": "c"}, {}, ("b", "c"), ""),
        # records beside the alias count
        ({"a", "b"}, {"a": "b"}, {}, (), ""),
        ({"b"}, {"a": "b", "b": "c"}, {}, ("b",), ""),
        ((), {"a": "b", "b": "a"}, {}, ("b", "a"), "loop"),
        ((), {"a": "a"}, {}, ("a",), "loop"),
    ],
)
def test_a_chain(
    owners: set[str], cnames: dict[str, str], dnames: dict[str, str], names: tuple[str, ...], problem: str
) -> None:
    assert follow_aliases("a", owners, cnames, dnames) == (names, problem)


def test_a_dname_redirects_the_names_below_it_and_not_itself() -> None:
    dnames = {"old.test": "new.test"}
    assert follow_aliases("x.y.old.test", (), {}, dnames).names == ("x.y.new.test",)
    assert follow_aliases("old.test", (), {}, dnames).names == ()
    assert follow_aliases("bold.test", (), {}, dnames).names == ()
    # the CNAME that it stands for is sent as well, mostly
    cnames = {"x.old.test": "x.new.test"}
    assert follow_aliases("x.old.test", {"x.new.test"}, cnames, dnames).names == ("x.new.test",)


def test_sixteen_aliases_are_followed() -> None:
    cnames = {str(n): str(n + 1) for n in range(30)}
    assert follow_aliases("0", {"16"}, cnames, {}) == (tuple(map(str, range(1, 17))), "")
    assert follow_aliases("0", {"17"}, cnames, {}) == (tuple(map(str, range(1, 17))), "too-long")


def test_a_dname_that_leads_below_itself_ends() -> None:
    chain = follow_aliases("x.a", (), {}, {"a": "b.a"})
    assert chain.problem == "too-long"
