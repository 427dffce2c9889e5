"""`filled_directly` changes how a value is filled, and nothing that anybody can see."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest

from smtp_sansio import Reply, Rset
from smtp_sansio._values import filled_directly


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    size: int
    name: str = "none"
    parts: tuple[int, ...] = ()


@filled_directly
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    size: int
    name: str = "none"
    parts: tuple[int, ...] = ()


@filled_directly
@dataclass(frozen=True, slots=True)
class Checked:
    size: int

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("less than nothing")


def test_every_field_is_filled_and_defaults_hold() -> None:
    assert Quick(size=1, name="a", parts=(2,)) == Quick(parts=(2,), name="a", size=1)
    assert (Quick(size=1).size, Quick(size=1).name, Quick(size=1).parts) == (1, "none", ())
    assert repr(Quick(size=1)) == "Quick(size=1, name='none', parts=())"


def test_the_signature_is_the_same() -> None:
    assert inspect.signature(Quick) == inspect.signature(Plain)
    assert Quick.__init__.__annotations__ == Plain.__init__.__annotations__
    assert [f.name for f in fields(Quick)] == [f.name for f in fields(Plain)]


@pytest.mark.parametrize("wrong", [{}, {"size": 1, "color": 2}])
def test_what_is_missing_or_unknown_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Quick(**wrong)  # type: ignore[arg-type]


def test_arguments_by_keyword_only_stay_so() -> None:
    with pytest.raises(TypeError, match="positional"):
        Quick(1)  # type: ignore[misc]
    assert Checked(1) == Checked(size=1)


def test_what_was_checked_still_is() -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        Checked(-1)


def test_it_stays_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Quick(size=1).size = 2  # type: ignore[misc]


def test_inherited_fields_are_filled() -> None:
    reply = Reply(250, b"250 ok\r\n", (), Rset())
    assert (reply.code, reply.raw, reply.deviations, reply.command) == (250, b"250 ok\r\n", (), Rset())


@pytest.mark.parametrize(
    "value", [Quick(size=1, name="a"), Checked(3), Reply(250, b"250 ok\r\n", (), Rset())]
)
def test_values_are_copied_and_sent_to_other_processes(value: Quick | Checked | Reply) -> None:
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == replace(value) == value  # noqa: S301 - our own
    assert hash(replace(value)) == hash(value)
