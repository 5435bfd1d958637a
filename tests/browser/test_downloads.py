"""Three commands in a browser, from the form to the downloaded file."""

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import axe_problems_in_both_themes
from tests.browser.conftest import Portal
from tests.browser.desk_form import able_devices, request_run, rows

pytestmark = pytest.mark.browser


def test_two_captures_and_a_diag_finish_and_their_files_open(desk: Page, portal: Portal, tmp_path: Path) -> None:
    first, second, third = able_devices(portal, 3)
    desk.evaluate("window.sameDocument = true")
    captures = [f"{device['deviceId']}, {device['personEmail']}" for device in (first, second)]
    request_run(desk, captures, "Packet capture", ticket="FILES-1", minutes=1)
    expect(rows(desk, "FILES-1")).to_have_count(2)
    request_run(desk, [f"{third['deviceId']}, {third['personEmail']}"], "WARP diag", ticket="FILES-2")
    expect(rows(desk, "FILES-2")).to_have_count(1)

    for device, kind in ((first, "Packet capture"), (second, "Packet capture"), (third, "WARP diag")):
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
    problems = axe_problems_in_both_themes(desk)

    requested = [(first["deviceId"], "pcap"), (second["deviceId"], "pcap"), (third["deviceId"], "warp-diag")]
    device_ids = {device_id for device_id, _ in requested}
    created = [(entry["device_id"], entry["kind"]) for entry in portal.ledger()["commands"]]
    assert sorted(entry for entry in created if entry[0] in device_ids) == sorted(requested)

    rows(desk, third["personEmail"], "WARP diag").get_by_test_id("open").click()
    expect(desk.get_by_role("heading", level=1)).to_contain_text("WARP diag on")
    expect(desk.get_by_role("main")).to_contain_text("Downloaded by you")
    expect(desk.get_by_role("main")).to_contain_text("FILES-2")
    problems += axe_problems_in_both_themes(desk)
    assert not problems, "\n".join(problems)
