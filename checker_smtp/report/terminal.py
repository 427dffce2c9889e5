"""What a text has to know of the terminal it is for, and how it is laid out there, by rich."""

from dataclasses import dataclass
from io import StringIO

from .visible import visible

__all__ = ["Terminal"]

_ASCII = str.maketrans({"→": "->", "·": "-", "–": "-", "×": "x", "§": "section ", "…": "...", "’": "'"})
_STYLES = {"red": "bold red", "yellow": "bold yellow", "green": "bold green"}
_NARROWEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Columns, whether colours are wanted, whether there is nothing but ASCII."""

    width: int = 100
    colour: bool = False
    ascii_only: bool = False

    def lines(self, text: str, style: str = "", *, first: str = "", first_style: str | None = None) -> str:
        """`text` made visible and wrapped, with `first` before it and the other lines indented alike."""
        # late: whoever wants JSON need not wait for it
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        style = _STYLES.get(style, style)
        body: Text | Table = Text(self._shown(text), style)
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
            width=max(self.width, _NARROWEST),
            color_system="standard" if self.colour else None,
            force_terminal=self.colour,
            no_color=not self.colour,
            highlight=False,
            legacy_windows=False,
        ).print(body)
        return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())

    def verbatim(self, text: str, *, first: str = "") -> str:
        """`text` made visible and not wrapped, since it is to be copied."""
        return f"{first}{self._shown(text)}\n"

    def _shown(self, text: str) -> str:
        return visible(text.translate(_ASCII) if self.ascii_only else text, ascii_only=self.ascii_only)
