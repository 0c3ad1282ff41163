"""A page of ours in a real browser, and what it says and asks for."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page, expect

PATIENCE_MS = 120_000  # tests share their machine
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Opened:
    """A page, and what it said and asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    recordings: set[str] = field(default_factory=set)  # URLs that a test plays

    def ids(self) -> list[str]:
        return self.page.locator("#rows th a").all_inner_texts()

    def cell(self, number: int) -> list[str]:
        return self.page.locator(f"#rows tr > :nth-child({number})").all_inner_texts()
