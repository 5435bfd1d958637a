"""Banner, status page and waiting commands while Cloudflare refuses to create commands.

These tests run last in their folder, because the shared account stays paused for a minute afterwards.
"""

import json
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import axe_problems_in_both_themes
from tests.browser.conftest import Portal, sign_in
from tests.browser.desk_form import able_devices, request_run, rows
from tests.polling import MAX_WAIT, eventually

pytestmark = pytest.mark.browser


@pytest.fixture
def refusing(portal: Portal) -> Iterator[None]:
    """Let Cloudflare refuse new commands, but no other call."""
    rule = {"match": {"call": "create"}, "effect": {"kind": "error", "status": 403, "code": 10000}}
    _put_faults(portal, [rule])
    yield
    _put_faults(portal, [])


def _put_faults(portal: Portal, rules: list[object]) -> None:
    url = f"{portal.upstream.removesuffix('/client/v4')}/_sim/faults"
    order = urllib.request.Request(url, json.dumps({"rules": rules}).encode(), method="PUT")
    with urllib.request.urlopen(order, timeout=MAX_WAIT):
        pass


@pytest.mark.usefixtures("refusing")
def test_refusal_is_shown_to_the_requester_and_to_the_administrator(desk: Page, portal: Portal, page: Page) -> None:
    (device,) = able_devices(portal, 1)
    request_run(desk, [f"{device['deviceId']}, {device['personEmail']}"], "Speed test", ticket="INC-77")
    banner = desk.get_by_test_id("banner").filter(has_text="Cloudflare refuses sending commands.")
    expect(banner).to_be_visible()
    _hold(portal, "INC-77")
    desk.reload()
    expect(rows(desk, "INC-77").get_by_test_id("send-now")).to_be_visible()
    expect(banner).to_be_visible()
    problems = axe_problems_in_both_themes(desk)
    desk.set_viewport_size({"width": 390, "height": 844})
    assert desk.evaluate("document.documentElement.scrollWidth") == 390
    assert not (problems := [*problems, *axe_problems_in_both_themes(desk)]), "\n".join(problems)
    desk.set_viewport_size({"width": 1280, "height": 860})
    page.context.clear_cookies()
    sign_in(page, portal, "admin")
    page.locator("summary[aria-label='Your menu']").click()
    page.get_by_role("link", name="Status", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Status")
    expect(page.get_by_role("main")).to_contain_text("Sending commands paused")
    assert not (problems := axe_problems_in_both_themes(page)), "\n".join(problems)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert not (problems := axe_problems_in_both_themes(page)), "\n".join(problems)


def _hold(portal: Portal, ticket: str) -> None:
    """Put the command on hold, as after a long pause of sending."""

    def held() -> bool | None:
        with closing(sqlite3.connect(portal.var / "dexportal.sqlite3", timeout=MAX_WAIT)) as database, database:
            done = database.execute(
                "UPDATE commands_command SET held_at = requested_at, reason_code = 'held_after_pause'"
                " WHERE ticket = ? AND status = 'queued'",
                [ticket],
            )
            return done.rowcount == 1 or None

    eventually(held)  # a worker may be trying to send the command at this moment
