"""Scripts around scripts: perform, change or record each effect on its way to the driver.

An interceptor knows no runtime, and no driver knows of it: it is a script itself. Where effects are turned
into something else than effects (into waits for a socket, say) the same function makes the driver.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

from ._effects import Effect, Outcome, Script

__all__ = ["intercept", "tap"]

_T = TypeVar("_T")
_Y = TypeVar("_Y")
_S = TypeVar("_S")


def intercept(
    script: Script[_T], handler: Callable[[Effect], Generator[_Y, _S, Outcome]]
) -> Generator[_Y, _S, _T]:
    """Return a generator that runs `script` with each of its effects performed by `handler`.

    `handler(effect)` is a generator that returns the outcome for the script. Written as a script, it
    passes the effect on with `outcome = yield effect`, and may yield other effects, several or none; the
    result is then a script as well. It may yield anything else that the caller of the result handles.

    The result returns what the script returns and raises what the script or a handler raises. However it
    ends, and when it is closed, `script` is closed.
    """
    try:
        effect = next(script)
        while True:
            effect = script.send((yield from handler(effect)))
    except StopIteration as stop:
        value: _T = stop.value
        return value
    finally:
        script.close()


def tap(script: Script[_T], note: Callable[[Effect, Outcome], object]) -> Script[_T]:
    """Return the same script, with `note` called for each effect and its outcome.

    `note` is called before the script receives the outcome; what it raises ends the script.
    """

    def noted(effect: Effect) -> Script[Outcome]:
        outcome = yield effect
        note(effect, outcome)
        return outcome

    return intercept(script, noted)
