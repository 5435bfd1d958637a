"""Requests through the desk's form, and the rows that they add."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, Response, expect

from tests.browser.conftest import Portal
from tests.polling import eventually


def able_devices(portal: Portal, count: int) -> list[dict[str, Any]]:
    """Return healthy devices that stay connected and eligible, of different people, with one registration each."""
    steady = {
        device["device_id"]
        for device in portal.control("world")["devices"]
        if not device["presence"]["period"] and not device["trouble"]
    }

    def look() -> list[dict[str, Any]] | None:
        path = f"/accounts/{portal.account}/dex/commands/devices?page=1&per_page=50"
        rows = portal.upstream_json(path)["result"]["devices"]
        machines = [row["deviceId"] for row in rows]
        able = {
            row["personEmail"]: row
            for row in rows
            if row["eligible"]
            and row["status"] == "connected"
            and machines.count(row["deviceId"]) == 1
            and row["deviceId"] in steady
        }
        return [able[email] for email in sorted(able)][:count] if len(able) >= count else None

    return eventually(look)


def request_run(page: Page, lines: list[str], *kinds: str, ticket: str, minutes: int | None = None) -> None:
    """Paste a list of devices, choose kinds, and press Run."""
    page.get_by_text("or paste a list").click()
    page.get_by_label("A list of people and devices").fill("\n".join(lines))
    for kind in kinds:
        page.get_by_role("checkbox", name=kind, exact=True).check()
    if minutes:
        page.get_by_text("Packet capture: options").click()
        page.get_by_label("Duration").fill(str(minutes))
    with new_plan(page, f"ticket={ticket}"):
        page.get_by_role("textbox", name="Ticket").fill(ticket)
        page.keyboard.press("Tab")
    page.get_by_test_id("run").click()
    expect(page.get_by_test_id("confirmation")).to_be_visible()
    expect(page.get_by_test_id("targets")).to_have_value("")


@contextmanager
def new_plan(page: Page, field: str) -> Iterator[None]:
    """Wait for the plan of a form with this field. Each new plan replaces the button, and a click could be lost."""

    def is_of_field(answer: Response) -> bool:
        return answer.url.endswith("/ask/plan") and field in (answer.request.post_data or "")

    with page.expect_response(is_of_field):
        yield
    expect(page.get_by_test_id("plan")).not_to_have_class(re.compile("htmx-request"))


def rows(page: Page, *texts: str) -> Locator:
    """Return the rows of commands that contain all of these texts."""
    matching = page.get_by_test_id("row")
    for text in texts:
        matching = matching.filter(has_text=text)
    return matching
