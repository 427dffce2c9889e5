"""A page parsed as a browser parses it, and the faults that no page may have."""

from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import html5lib

__all__ = ["faults", "outline", "parse", "words"]

_RESOURCES = {"src", "srcset", "data", "action", "formaction", "poster", "background", "ping", "cite"}
_ACTIVE = {
    "script",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "button",
    "link",
    "base",
    "img",
    "video",
    "audio",
}


def parse(page: str) -> Element:
    """Return the tree of the page. Raises if it has any parse error."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(page)
    return tree


def words(element: Element) -> str:
    """Return the text of an element with single spaces."""
    return " ".join("".join(element.itertext()).split())


def faults(page: str) -> list[str]:
    """Return the faults of the page as sentences."""
    tree = parse(page)
    return [*_not_contained(tree), *_references(tree), *_headings(tree), *_labels(tree)]


def _not_contained(tree: Element) -> Iterator[str]:
    """Yield the active elements and the outside resources."""
    for element in tree.iter():
        name = _name(element)
        if name in _ACTIVE:
            yield f"<{name}> is active content"
        for attribute, value in element.attrib.items():
            plain = attribute.rpartition("}")[2].lower()
            if plain.startswith("on") or plain in _RESOURCES:
                yield f"<{name} {plain}>"
            if plain == "href" and not value.startswith("#"):
                yield f"a link leads outside: {value}"
            if "javascript:" in value.lower() or "url(" in value.lower():
                yield f"<{name} {plain}={value!r}>"
    style = next(tree.iter("style")).text or ""
    if any(word in style for word in ("url(", "@import", "@font-face", "expression(")):
        yield "the style sheet loads something"


def _references(tree: Element) -> Iterator[str]:
    ids = Counter(element.attrib["id"] for element in tree.iter() if "id" in element.attrib)
    yield from (f"the id {name} is there {n} times" for name, n in ids.items() if n > 1)
    for element in tree.iter():
        targets = element.attrib.get("aria-labelledby", "").split()
        targets += element.attrib.get("aria-describedby", "").split()
        if element.attrib.get("href", "").startswith("#"):
            targets.append(element.attrib["href"][1:])
        yield from (
            f"<{_name(element)}> refers to {target}, which is not there"
            for target in targets
            if target not in ids
        )


def _headings(tree: Element) -> Iterator[str]:
    level = 0
    for element in tree.iter():
        name = _name(element)
        if len(name) == 2 and name[0] == "h" and name[1].isdigit():
            here = int(name[1])
            if here > level + 1:
                yield f"a heading h{here} follows h{level}: {words(element)}"
            if not words(element):
                yield f"an empty {name}"
            level = here
    if sum(_name(element) == "h1" for element in tree.iter()) != 1:
        yield "there is not exactly one h1"


def _labels(tree: Element) -> Iterator[str]:
    html = tree if _name(tree) == "html" else next(tree.iter("html"))
    if html.attrib.get("lang") != "en":
        yield "the language is not declared"
    for name in ("main", "title"):
        if len(list(tree.iter(name))) < 1:
            yield f"there is no <{name}>"
    for header in tree.iter("th"):
        if header.attrib.get("scope") not in ("col", "row"):
            yield f"a table header without scope: {words(header)}"
    for details in tree.iter("details"):
        if _name(details[0]) != "summary" or not words(details[0]):
            yield "a <details> without a summary"
    for picture in (element for element in tree.iter() if _name(element) == "svg"):
        titles = [child for child in picture if _name(child) == "title"]
        if picture.attrib.get("role") != "img" or not titles or not words(titles[0]):
            yield "an <svg> without a text alternative"
    for element in tree.iter():
        if element.attrib.get("tabindex") == "0" and not (
            element.attrib.get("aria-label") or element.attrib.get("aria-labelledby")
        ):
            yield "something without a name can be tabbed to"


def outline(page: str) -> str:
    """Return the headings, the open sections, and the short texts of verdicts."""
    lines: list[str] = []
    for element in parse(page).iter():
        name, classes = _name(element), element.attrib.get("class", "").split()
        if name in ("h1", "h2", "h3"):
            lines.append(f"{'  ' * int(name[1])}{name} {words(element)}")
        elif name == "details" and "endpoint" in classes:
            lines.append(f"    {'open' if 'open' in element.attrib else 'closed'}")
        elif name == "p" and {"faults", "counts", "code"} & set(classes):
            lines.append(f"      {words(element)}")
        elif name == "span" and "pill" in classes:
            lines.append(f"        [{' '.join(classes[1:])}] {words(element)}")
        elif name == "pre" and "command" in classes:
            lines.append(f"        $ {words(element)}")
        elif name == "li" and "cited" in classes:
            said = next(child for child in element if child.attrib.get("class") == "said")
            lines.append(f"        > {' '.join((said.text or '').split())}")
    return "\n".join(lines) + "\n"


def _name(element: Element) -> str:
    """Return the tag without its namespace, empty for a comment."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
