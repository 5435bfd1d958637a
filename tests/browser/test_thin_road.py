"""Three commands in a real browser, from the form to the downloaded file."""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Response, expect

from tests.browser.axe import findings_in_both_themes
from tests.browser.conftest import Portal
from tests.polling import eventually

pytestmark = pytest.mark.browser


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


def ask(page: Page, lines: list[str], *kinds: str, ticket: str, minutes: int | None = None) -> None:
    page.get_by_text("or paste a list").click()
    page.get_by_label("A list of people and devices").fill("\n".join(lines))
    for kind in kinds:
        page.get_by_role("checkbox", name=kind, exact=True).check()
    if minutes:
        page.get_by_text("Packet capture: options").click()
        page.get_by_label("Duration").fill(str(minutes))
    with plan_of(page, f"ticket={ticket}"):
        page.get_by_role("textbox", name="Ticket").fill(ticket)
        page.keyboard.press("Tab")
    page.get_by_test_id("run").click()
    expect(page.get_by_test_id("confirmation")).to_be_visible()
    expect(page.get_by_test_id("targets")).to_have_value("")


@contextmanager
def plan_of(page: Page, field: str) -> Iterator[None]:
    """Wait for the plan of a form with this field. Each new plan replaces the button, and a click could be lost."""

    def is_of_field(answer: Response) -> bool:
        return answer.url.endswith("/ask/plan") and field in (answer.request.post_data or "")

    with page.expect_response(is_of_field):
        yield
    expect(page.get_by_test_id("plan")).not_to_have_class(re.compile("htmx-request"))


def rows(page: Page, *words: str) -> Locator:
    """Return the rows of commands that contain all of these words."""
    found = page.get_by_test_id("row")
    for word in words:
        found = found.filter(has_text=word)
    return found


def test_two_captures_and_a_diag_finish_and_their_files_open(desk: Page, portal: Portal, tmp_path: Path) -> None:
    one, two, three = able_devices(portal, 3)
    desk.evaluate("window.sameDocument = true")
    captures = [f"{device['deviceId']}, {device['personEmail']}" for device in (one, two)]
    ask(desk, captures, "Packet capture", ticket="THIN-1", minutes=1)
    expect(rows(desk, "THIN-1")).to_have_count(2)
    ask(desk, [f"{three['deviceId']}, {three['personEmail']}"], "WARP diag", ticket="THIN-2")
    expect(rows(desk, "THIN-2")).to_have_count(1)

    for device, kind in ((one, "Packet capture"), (two, "Packet capture"), (three, "WARP diag")):
        shown = rows(desk, device["personEmail"], kind)
        expect(shown.get_by_test_id("status")).to_have_text("Done")
        expect(shown.get_by_test_id("download")).to_be_visible()
        with desk.expect_download() as download:
            shown.get_by_test_id("download").click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            assert archive.namelist()
    assert desk.evaluate("window.sameDocument"), "the page was loaded anew"
    found = findings_in_both_themes(desk)

    asked = [(one["deviceId"], "pcap"), (two["deviceId"], "pcap"), (three["deviceId"], "warp-diag")]
    machines = {device_id for device_id, _ in asked}
    landed = [(entry["device_id"], entry["kind"]) for entry in portal.ledger()["commands"]]
    assert sorted(entry for entry in landed if entry[0] in machines) == sorted(asked)

    rows(desk, three["personEmail"], "WARP diag").get_by_test_id("open").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text(re.compile("WARP diag on"))
    expect(desk.get_by_role("main")).to_contain_text("Downloaded by you")
    expect(desk.get_by_role("main")).to_contain_text("THIN-2")
    found += findings_in_both_themes(desk)
    assert not found, "\n".join(found)
