"""Write share/: the man pages, and completion for bash, zsh and fish, all from the commands themselves.

    python scripts/share.py            write the files
    python scripts/share.py --check    exit with 1 if they differ

The wheel installs the folder as `share` of its prefix, where shells and man look for them.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from checker_smtp import __version__  # noqa: E402
from checker_smtp.cli.main import group  # noqa: E402
from checker_smtp.cli.option_names import options_of, variable_of  # noqa: E402

PROGRAM = "checker-smtp"
SHARE = ROOT / "share"
_COMPLETIONS: dict[str, type[ShellComplete]] = {
    f"bash-completion/completions/{PROGRAM}": BashComplete,
    f"zsh/site-functions/_{PROGRAM}": ZshComplete,
    f"fish/vendor_completions.d/{PROGRAM}.fish": FishComplete,
}


def files() -> dict[str, str]:
    """Return the text of each file, by its name in the folder."""
    texts = {f"man/man1/{name}.1": text for name, text in man_pages(PROGRAM, group)}
    for name, shell in _COMPLETIONS.items():
        # not the method of BashComplete, which starts bash to see its version
        complete = shell(group, {}, PROGRAM, "_CHECKER_SMTP_COMPLETE")
        texts[name] = ShellComplete.source(complete).strip() + "\n"
    return texts


def man_pages(title: str, command: click.Command) -> Iterator[tuple[str, str]]:
    """Yield the names and the texts of the man pages of a command and of those below it."""
    below: dict[str, click.Command] = {}
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=title)
        found = {name: command.get_command(context, name) for name in command.list_commands(context)}
        below = {f"{title} {name}": one for name, one in found.items() if one is not None}
    yield title.replace(" ", "-"), man_page(title, command, below)
    for name, one in below.items():
        yield from man_pages(name, one)


def man_page(title: str, command: click.Command, below: Mapping[str, click.Command]) -> str:
    """Return the man page of a command in roff; `below` are the commands of a group by title."""
    # the names of --help are those of the group
    context = click.Context(command, info_name=title, terminal_width=100, **group.context_settings)
    name = title.replace(" ", "-")
    summary, _, description = inspect.cleandoc(command.help or "").partition("\n\n")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{name.upper()}" "1" "" "{PROGRAM} {__version__}" "{PROGRAM}"',
        *(".SH NAME", f"{_roff(name)} \\- {_roff(' '.join(summary.split()).rstrip('.'))}"),
        *(".SH SYNOPSIS", f".B {_roff(title)}", _roff(usage)),
    ]
    if description:
        lines += [".SH DESCRIPTION", *_paragraphs(description)]
    lines += [".SH OPTIONS", *_options(command, context)]
    if below:
        lines += [".SH COMMANDS"]
        for name_below, one in below.items():
            page = name_below.replace(" ", "-")
            lines += [".TP", f"\\fB{_roff(page)}\\fP(1)", _roff(one.get_short_help_str(limit=200))]
    if variables := options_of(command):
        lines += [".SH ENVIRONMENT", "Each option can be given by a variable as well:"]
        lines += [_roff(", ".join(variable_of(option) for option in variables.values()) + ".")]
        lines += [
            ".SH FILES",
            ".TP",
            ".I ~/.config/checker\\-smtp.toml",
            "Values of options for all commands.",
        ]
    if title != PROGRAM:
        lines += [".SH SEE ALSO", f"\\fB{_roff(PROGRAM)}\\fP(1)"]
    return "\n".join(lines) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the options of a command, then those of the commands of a group in a section for each."""
    for parameter in command.get_params(context):
        names, text = parameter.get_help_record(context) or ("", "")
        # an argument has no text; it is in the synopsis and the description
        if text:
            yield from (".TP", f"\\fB{_roff(names)}\\fP", _roff(text))
    for name, part in command.commands.items() if isinstance(command, click.Group) else ():
        yield f'.SS "{_roff(name)}"'
        yield from _options(part, click.Context(part, context, info_name=name, terminal_width=100))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if lines[0] == "\b":
            yield from (".PP", ".nf", *(_roff(line) for line in lines[1:]), ".fi")
        else:
            yield from (".PP", _roff(" ".join(paragraph.split())))


def _roff(text: str) -> str:
    """Return text in which no character is a request or an escape of roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = re.sub(r"[^\x00-\x7f]", lambda match: f"\\[u{ord(match[0]):04X}]", escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main() -> int:
    """Write or compare the files, and return the exit code."""
    wanted = files()
    found = {
        str(path.relative_to(SHARE)): path.read_text("utf-8") for path in SHARE.rglob("*") if path.is_file()
    }
    different = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if "--check" in sys.argv[1:]:
        if different:
            print(
                f"share/ has other files than the commands: run {Path(__file__).name}: {', '.join(different)}"
            )
        return int(bool(different))
    for name in different:
        path = SHARE / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], "utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
