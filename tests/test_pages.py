"""The pages for readers hang together."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_within_the_pages_lead_somewhere() -> None:
    pages = [page for folder in (".", "docs", "benchmarks", "cluster") for page in (ROOT / folder).glob("*.md")]
    links = [
        (page, address, anchor)
        for page in pages
        for address, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text())
        if "://" not in address
    ]
    assert len(links) > 20
    for page, address, anchor in links:
        target = page.parent / address if address else page
        assert target.exists(), f"{page.name}: {address}"
        assert not anchor or anchor in _anchors(target), f"{page.name}: {address}#{anchor}"
