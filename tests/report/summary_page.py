"""The panels of a summary page."""

from xml.etree.ElementTree import Element

from tests.report.page import parse, words


def of_class(element: Element, name: str) -> list[Element]:
    return [e for e in element.iter() if name in e.attrib.get("class", "").split()]


def panel(page: str, anchor: str) -> list[str]:
    """Return the text of each row of a panel, without its details."""
    (section,) = [e for e in parse(page).iter("section") if e.attrib.get("aria-labelledby") == anchor]
    rows = []
    for row in section.iter("summary"):
        parts = [words(e) for name in ("label", "figure", "aside") for e in of_class(row, name)]
        rows.append(" | ".join(parts))
    return rows
