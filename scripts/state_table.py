"""Print the state table of the protocol and its diagram, both made from the code.

python scripts/state_table.py                    to the terminal
python scripts/state_table.py --write README.md  between the two markers in that file
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from smtp_sansio import Command, Ehlo, Helo, Mail, Noop, Quit, Rcpt, Rset, StartTls, State  # noqa: E402
from smtp_sansio._state import TABLE  # noqa: E402

BEGIN, END = "<!-- state table: begin -->", "<!-- state table: end -->"

COLUMNS: dict[type[Command] | None, str] = {
    None: "greeting",
    Ehlo: "EHLO",
    Helo: "HELO",
    StartTls: "STARTTLS",
    Mail: "MAIL",
    Rcpt: "RCPT",
    Rset: "RSET",
    Noop: "NOOP",
    Quit: "QUIT",
}

# The transitions of `_state.py` that are not in its table; tests/sansio/test_state.py tests them.
OTHERS = [
    ("any", State.REFUSED, "421, but to QUIT"),
    ("any", State.CLOSED, "end of stream"),
    ("any", State.ERROR, "RemoteProtocolError"),
    (State.TLS, State.FRESH, "tls_established()"),
    (State.TLS, State.CLOSED, "tls_failed()"),
]


def table() -> str:
    """Return the table in Markdown: a row for each state, a column for each command."""
    rows = [["", *COLUMNS.values()], ["---"] * (1 + len(COLUMNS))]
    rows += [[f"**{state}**", *(_cell(state, kind) for kind in COLUMNS)] for state in State]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cell(state: State, kind: type[Command] | None) -> str:
    if kind not in TABLE[state]:
        return "–"
    done, otherwise = ("." if after is state else str(after) for after in TABLE[state][kind])
    return done if done == otherwise else f"{done} / {otherwise}"


def diagram() -> str:
    """Return a mermaid diagram of the transitions that change the state."""
    edges: dict[tuple[str, str], list[str]] = {}
    for state, row in TABLE.items():
        for kind, (done, otherwise) in row.items():
            name = COLUMNS[kind]
            targets = (
                [(done, name)] if done is otherwise else [(done, f"{name} 2yz"), (otherwise, f"{name} other")]
            )
            for after, label in targets:
                if after is not state:
                    edges.setdefault((state, after), []).append(label)
    for before, after, label in OTHERS:
        edges.setdefault((before, after), []).append(label)
    lines = ["stateDiagram-v2", '    state "any state" as any', f"    [*] --> {State.GREETING}"]
    lines += [f"    {before} --> {after}: {', '.join(labels)}" for (before, after), labels in edges.items()]
    return "\n".join(lines)


def section() -> str:
    """Return the text between the markers."""
    return f"""
Next state after 2yz / after any other reply. `.` is no change; `–` is rejected before anything is sent.

{table()}

```mermaid
{diagram()}
```
"""


def write(path: Path) -> None:
    """Replace the text between the markers in `path`. Raises ValueError unless it has each of them once."""
    text = path.read_text("utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{path} needs the markers {BEGIN} and {END}, once each and in this order")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}{section()}{END}{after}", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the protocol's state table and diagram.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put them between the markers in FILE")
    options = parser.parse_args()
    if options.write:
        write(options.write)
    else:
        print(section())


if __name__ == "__main__":
    main()
