"""The properties of a terminal, and the layout of text for it by rich."""

import re
from dataclasses import dataclass
from io import StringIO

from checker_smtp.report.visible import visible

__all__ = ["Terminal", "to_ascii"]

_ASCII = str.maketrans(
    {
        "→": "->",
        "·": "-",
        "–": "-",
        "—": "-",
        "×": "x",
        "§": "section ",
        "…": "...",
        "›": ">",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "≥": ">=",
        "≤": "<=",
    }
)
# By severity, level or status; other styles are rich's own.
_STYLES = {
    **dict.fromkeys(("crit", "critical"), "bold red"),
    **dict.fromkeys(("warn", "warning"), "bold yellow"),
    **dict.fromkeys(("good", "ok"), "bold green"),
    "info": "cyan",
    "unknown": "magenta",
}
_MIN_WIDTH = 40
# Parts that are read as one word: short code in backticks, a number and its unit, a name and its number.
_BOUND = re.compile(
    r"`[^`]{1,30}`"
    r"|\b(?:TTL \d+ \w+|(?:TLS|RFC|Port|IPv[46]) \d\S*|\d+(?:\.\d+)? m?s\b|[245]\d\d [245]\.\d\S*)"
)
# rich wraps at every white space, but visible text has no character for private use
_BLANK = "\ue000"


def _bind(part: re.Match[str]) -> str:
    return part[0].replace(" ", _BLANK)


def to_ascii(text: str) -> str:
    """Return the text with our own characters in ASCII, and any other one as an escape."""
    return visible(text.translate(_ASCII), ascii_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """The target of a text: its width in columns, with or without colours, with or without Unicode."""

    width: int = 100
    colour: bool = False
    ascii_only: bool = False

    def lines(self, text: str, style: str = "", *, first: str = "", first_style: str | None = None) -> str:
        """Return `text` made visible and wrapped, with `first` before it and the other lines indented."""
        # imported late: JSON output does not need it
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        style = _STYLES.get(style, style)
        body: Text | Table = Text(_BOUND.sub(_bind, self._escape(text)), style)
        if first:
            label = style if first_style is None else _STYLES.get(first_style, first_style)
            grid = Table.grid()
            grid.add_column(width=len(first), no_wrap=True)
            grid.add_column(overflow="fold")
            grid.add_row(Text(first, label), body)
            body = grid
        out = StringIO()
        Console(
            file=out,
            width=max(self.width, _MIN_WIDTH),
            color_system="standard" if self.colour else None,
            force_terminal=self.colour,
            no_color=not self.colour,
            highlight=False,
            legacy_windows=False,
        ).print(body)
        wrapped = out.getvalue().replace(_BLANK, " ")
        return "".join(line.rstrip() + "\n" for line in wrapped.splitlines())

    def verbatim(self, text: str, *, first: str = "") -> str:
        """Return `text` made visible and not wrapped, so that it can be copied."""
        return f"{first}{self._escape(text)}\n"

    def _escape(self, text: str) -> str:
        return to_ascii(text) if self.ascii_only else visible(text)
