"""Chromium, and a page in it that keeps what it asked for and complained of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")

#: It asks for nothing by itself; the sandbox needs rights that a container does not give.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium with a profile of its own, driven by playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), headless=True, args=list(_ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, with every request it made and every complaint on its console."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def text(self, selector: str) -> str:
        """The text of what is there, with single spaces."""
        found: str = self.page.inner_text(selector)
        return " ".join(found.split())

    def texts(self, selector: str) -> list[str]:
        """The texts of all that is there."""
        found: list[str] = self.page.locator(selector).all_inner_texts()
        return [" ".join(text.split()) for text in found]

    def rows(self) -> list[list[str]]:
        """The rows of trials that are there, by cell."""
        found: list[list[str]] = self.page.eval_on_selector_all(
            "#body tr[data-id]", "rows => rows.map(r => [...r.children].map(c => c.innerText))"
        )
        return found

    def wait(self, condition: str) -> None:
        """Wait until ``condition``, in JavaScript, holds; an error after 10 s."""
        # not by wait_for_function: the page forbids the eval that it needs
        for _ in range(500):
            if self.page.evaluate(f"Boolean({condition})"):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"did not come true within 10 s: {condition}")

    def column(self, name: str) -> list[str]:
        """The cells of one column."""
        heads = [text.rstrip(" ▴▾") for text in self.texts("#heads th")]
        return [row[heads.index(name)] for row in self.rows()]

    def close(self) -> None:
        """Leave the page."""
        self.context.close()
