"""Many commands at once in a browser: few POSTs, unchanged files, slow downloads, and the memory of all processes."""

import hashlib
import re
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import axe_problems_in_both_themes
from tests.browser.conftest import ROOT, Complaints, Portal
from tests.browser.desk_form import able_devices, request_run, rows
from tests.polling import MAX_WAIT, eventually

pytestmark = pytest.mark.browser

MOST_MEMORY = 450 * 1024 * 1024
LARGE = 64 * 1024 * 1024  # larger than all socket buffers on the way together
SCREENSHOT = ROOT / "build" / "desk.png"


def test_twelve_captures_and_three_diags_finish_with_the_fewest_posts(
    desk: Page, portal: Portal, tmp_path: Path
) -> None:
    devices = able_devices(portal, 20)[5:]  # other tests use the first five
    lines = [f"{device['deviceId']}, {device['personEmail']}" for device in devices]
    before = portal.ledger()
    desk.evaluate("window.sameDocument = true")
    request_run(desk, lines[:12], "Packet capture", ticket="INC-12", minutes=1)
    expect(rows(desk, "INC-12")).to_have_count(12)
    request_run(desk, lines[12:], "WARP diag", ticket="INC-13")
    for ticket, count in (("INC-12", 12), ("INC-13", 3)):
        expect(rows(desk, ticket, "Done")).to_have_count(count)
    ledger = portal.ledger()
    new = ledger["commands"][len(before["commands"]) :]
    ids = {command["device_id"]: command["id"] for command in new}
    for device, ticket in ((devices[0], "INC-12"), (devices[12], "INC-13")):
        downloaded = _hash_of_download(desk, device["personEmail"], ticket, tmp_path)
        assert downloaded == _hash_at_cloudflare(portal, ids[device["deviceId"]])
    assert desk.evaluate("window.sameDocument"), "the page was loaded anew"
    _save_screenshot(desk, devices[0]["personEmail"])

    created = Counter((command["device_id"], command["kind"]) for command in new)
    kinds = ["pcap"] * 12 + ["warp-diag"] * 3
    assert created == {(device["deviceId"], kind): 1 for device, kind in zip(devices, kinds, strict=True)}
    assert len(ledger["posts"]) - len(before["posts"]) == 3, "ten captures, two captures, three diags"
    assert _recorded_commands(portal) == {
        (command["id"], command["device_id"], command["kind"], command["status"]) for command in new
    }


def _recorded_commands(portal: Portal) -> set[tuple[str, str, str, str]]:
    """Return (Cloudflare's id, device, kind, status) of the portal's commands of the two tickets."""
    with closing(sqlite3.connect(portal.var / "dexportal.sqlite3", timeout=MAX_WAIT)) as database:
        query = "SELECT remote_id, device_id, kind, status FROM commands_command WHERE ticket IN ('INC-12', 'INC-13')"
        commands = database.execute(query).fetchall()
    assert len(commands) == 15
    return set(commands)


def _save_screenshot(desk: Page, who: str) -> None:
    """Save the screenshot of the README, which shows a filled-in form."""
    desk.get_by_role("textbox", name="Who").fill(who.partition("@")[0].partition(".")[2])
    desk.get_by_test_id("device").filter(has_text=who).first.click()
    desk.get_by_role("button", name="Quick look (diag + 2 min)").click()
    expect(desk.get_by_test_id("plan")).to_contain_text("calls to Cloudflare")
    desk.evaluate("scrollTo(0, 0)")
    SCREENSHOT.parent.mkdir(exist_ok=True)
    # Playwright would hide the caret with an inline style, which the policy forbids.
    desk.screenshot(path=SCREENSHOT, caret="initial")


def _hash_of_download(desk: Page, email: str, ticket: str, folder: Path) -> str:
    link = rows(desk, email, ticket).get_by_test_id("download")
    expect(link).to_be_visible()
    with desk.expect_download() as download:
        link.click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _hash_at_cloudflare(portal: Portal, id_: str) -> str:
    path = f"/accounts/{portal.account}/dex/commands/{id_}/downloads/{id_}.zip"
    return hashlib.sha256(portal.upstream_bytes(path)).hexdigest()


def test_four_slow_downloads_do_not_stop_the_desk_and_a_fifth_is_refused(
    desk: Page, portal: Portal, complaints: Complaints
) -> None:
    complaints.expect_status(503)
    device = able_devices(portal, 5)[3]
    request_run(desk, [f"{device['deviceId']}, {device['personEmail']}"], "WARP diag", ticket="INC-4")
    link = rows(desk, "INC-4").get_by_test_id("download")
    expect(link).to_be_visible()
    address = str(link.get_attribute("href"))
    _enlarge(portal, re.findall(r"[0-9a-f-]{36}", address)[0])
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in desk.context.cookies())
    with ExitStack() as readers:
        for _ in range(4):
            assert readers.enter_context(_slow_reader(portal, address, cookies)).startswith("HTTP/1.1 200")
        with _slow_reader(portal, address, cookies) as fifth:
            assert fifth.startswith("HTTP/1.1 503")
            assert "retry-after:" in fifth.lower()
        desk.goto(portal.url + address)
        expect(desk.get_by_role("heading", level=1)).to_have_text("Too many downloads right now (4)")
        problems = axe_problems_in_both_themes(desk)
        desk.goto(portal.url)
        desk.reload()
        expect(rows(desk, "INC-4")).to_have_count(1)

    def slot_is_free() -> bool:
        with _slow_reader(portal, address, cookies) as head:
            return head.startswith("HTTP/1.1 200")

    eventually(slot_is_free)
    assert not problems, "\n".join(problems)


def _enlarge(portal: Portal, command_id: str) -> None:
    """Enlarge the stored file, because no simulated device returns a file of this size."""
    with closing(sqlite3.connect(portal.var / "dexportal.sqlite3", timeout=MAX_WAIT)) as database, database:
        query = "SELECT id FROM commands_artifact WHERE command_id = ?"
        (hexadecimal,) = database.execute(query, [command_id.replace("-", "")]).fetchone()
        database.execute("UPDATE commands_artifact SET size = ? WHERE id = ?", [LARGE, hexadecimal])
    (file,) = [path for path in portal.var.glob("artifacts/**/*.zip") if path.stem.replace("-", "") == hexadecimal]
    with file.open("r+b") as stored:
        stored.truncate(LARGE)


@contextmanager
def _slow_reader(portal: Portal, address: str, cookies: str) -> Iterator[str]:
    """Request the file, and read only the head of the response."""
    at = urlsplit(portal.url)
    with socket.create_connection((str(at.hostname), at.port or 80), timeout=MAX_WAIT) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        reader.sendall(f"GET {address} HTTP/1.1\r\nHost: {at.netloc}\r\nCookie: {cookies}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += reader.recv(1024)
        yield head.decode(errors="replace")


def test_all_processes_together_stay_below_the_memory_limit(desk: Page, portal: Portal) -> None:
    """Sum the proportional set sizes (PSS), in which the kernel counts shared memory once."""
    processes = _process_tree(portal.pid)
    assert len(processes) >= 6, "supervisor, simulator, web, talk, fetch, beat"
    weights = {pid: _proportional_bytes(pid) for pid in processes}
    assert sum(weights.values()) <= MOST_MEMORY, weights


def _process_tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _process_tree(int(child)))]


def _proportional_bytes(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[0]) * 1024
