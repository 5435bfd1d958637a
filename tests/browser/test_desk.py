"""Desk in a browser: keys, selection, polls that keep focus and input, and the content security policy."""

import re
from urllib.parse import quote_plus

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import axe_problems_in_both_themes
from tests.browser.conftest import Complaints, Portal
from tests.browser.desk_form import able_devices, new_plan, request_run, rows

pytestmark = pytest.mark.browser


def test_command_can_be_run_by_keyboard_alone(desk: Page, portal: Portal) -> None:
    device = able_devices(portal, 5)[4]  # not one of the devices of test_downloads.py
    who, name = device["personEmail"], device["deviceName"]
    desk.keyboard.press("n")
    expect(desk.get_by_role("textbox", name="Who")).to_be_focused()
    with desk.expect_response(re.compile(rf"/ask/devices\?.*who={quote_plus(name)}(&|$)")):
        desk.keyboard.type(name)
    devices = desk.get_by_test_id("device")
    expect(devices).to_have_count(1)
    expect(devices).to_contain_text(who)
    desk.keyboard.press("Enter")
    expect(devices.get_by_role("checkbox", checked=True)).to_have_count(1)
    desk.get_by_role("button", name="WARP diag").press("Enter")
    run = desk.get_by_test_id("run")
    expect(run).to_have_text(f"Run on {name} ({who})")
    expect(desk.get_by_test_id("plan")).to_contain_text("1 call to Cloudflare")
    problems = axe_problems_in_both_themes(desk)
    assert not problems, "\n".join(problems)
    run.press("Enter")
    row = rows(desk, who, "WARP diag")
    expect(row).to_have_count(1)
    expect(desk.get_by_test_id("confirmation")).to_contain_text("1 command queued.")
    expect(devices).to_have_count(0)

    desk.locator("h1").first.click(force=True)
    desk.keyboard.press("j")
    focused = desk.locator("[data-testid=row] a:focus")
    expect(focused).to_have_count(1)
    expect(row.get_by_test_id("status")).to_have_text("Done")
    expect(focused).to_have_count(1)
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("WARP diag on")


def test_request_resets_a_filter_that_hides_it_and_its_message_links_to_it(desk: Page, portal: Portal) -> None:
    device = able_devices(portal, 6)[5]
    desk.goto(f"{portal.url}/?group=done&kind=pcap")
    name = device["deviceName"]
    with desk.expect_response(re.compile(rf"/ask/devices\?.*who={quote_plus(name)}(&|$)")):
        desk.get_by_role("textbox", name="Who").press_sequentially(name)
    expect(desk.get_by_test_id("device")).to_have_count(1)
    desk.get_by_test_id("device").filter(has_text=device["personEmail"]).click()
    expect(desk.get_by_test_id("plan")).to_contain_text("Choose at least one command to run.")
    with new_plan(desk, "kinds=speed-test"):
        desk.get_by_role("checkbox", name="Speed test").check()
    expect(desk.get_by_test_id("plan")).to_contain_text(f"Let {device['personEmail']} know you're doing this.")
    expect(desk.get_by_test_id("run")).to_contain_text(f"Run on {device['deviceName']}")
    desk.get_by_test_id("run").click()
    expect(rows(desk, device["personEmail"], "Speed test")).to_have_count(1)
    expect(desk).to_have_url(re.compile("requested_by=mine&days=7$"))
    desk.get_by_test_id("confirmation").get_by_role("link").click()
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Speed test on")


def test_poll_keeps_unchanged_rows_and_removes_rows_that_left_the_filter(desk: Page) -> None:
    """Test the swap alone, with rows as the server might send them next."""
    outcome = desk.evaluate(
        """() => {
          const rows = document.getElementById("rows");
          const send = (html) => {
            const answer = `<template><tbody id="rows" hx-swap-oob="rows">${html}</tbody></template>`;
            htmx.swap(document.createElement("div"), answer, { swapStyle: "none" });
          };
          const row = (id, words) =>
            `<tr id="${id}"><td><input type="checkbox" id="tick-${id}"><a id="a-${id}" href="/">${words}</a></td></tr>`;
          send(row("c", "3") + row("b", "2") + row("a", "1"));
          const [c, b] = [document.getElementById("c"), document.getElementById("b")];
          document.getElementById("tick-b").checked = true;
          document.getElementById("tick-c").checked = true;
          document.getElementById("a-b").focus();
          send(row("d", "4") + row("c", "3") + row("b", "changed"));
          return {
            order: [...rows.children].map((child) => child.id).join(),
            untouched: document.getElementById("c") === c,
            replaced: document.getElementById("b") !== b,
            words: document.getElementById("a-b").textContent,
            ticks: [...rows.querySelectorAll("input:checked")].map((box) => box.id).join(),
            focus: document.activeElement.id,
          };
        }"""
    )
    assert outcome == {
        "order": "d,c,b",
        "untouched": True,
        "replaced": True,
        "words": "changed",
        "ticks": "tick-c,tick-b",
        "focus": "a-b",
    }


def test_hidden_tab_stops_polling_and_polls_at_once_when_shown_again(page: Page, desk: Page, portal: Portal) -> None:
    polls: list[str] = []
    desk.on("request", lambda request: polls.append(request.url) if "/commands/table" in request.url else None)
    desk.clock.install()
    desk.goto(portal.url)
    hide = "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }) }"
    desk.evaluate(hide, True)
    polls.clear()  # requests sent before the tab was hidden
    desk.clock.run_for(65_000)
    assert polls == []
    desk.evaluate(hide, False)
    with desk.expect_request(re.compile("/commands/table")):
        desk.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_poll_after_the_session_ended_leads_to_the_sign_in_page(desk: Page, complaints: Complaints) -> None:
    complaints.expect_status(401)
    desk.context.clear_cookies()
    desk.evaluate("htmx.trigger(document.body, 'refresh-now')")
    expect(desk.get_by_role("heading", name="Sign in")).to_be_visible()


def test_ordinary_use_of_the_form_breaks_no_policy_and_logs_no_error(desk: Page) -> None:
    """Resize the list, search again before the response, and leave a page early. `complaints` checks the console."""
    desk.get_by_text("or paste a list").click()
    drawn = desk.locator("#id_targets").evaluate("(list) => { list.style.height = '240px'; return list.outerHTML; }")
    assert "style=" in drawn
    desk.get_by_role("button", name="WARP diag").click()
    expect(desk.get_by_role("button", name="WARP diag")).to_have_attribute("aria-pressed", "true")

    unanswered: list[Route] = []

    def answer_all_but_the_first(route: Route) -> None:
        if unanswered:
            route.continue_()
        unanswered.append(route)

    desk.route("**/ask/devices*", answer_all_but_the_first)
    with desk.expect_request("**/ask/devices*"):
        desk.get_by_role("textbox", name="Who").type("nob")
    with desk.expect_response("**/ask/devices*"):
        desk.get_by_role("textbox", name="Who").type("ody")
    expect(desk.get_by_test_id("devices")).to_contain_text("nobody")

    desk.route("**/commands/table*", lambda route: None)
    with desk.expect_request("**/commands/table*"):
        desk.evaluate("htmx.trigger(document.body, 'refresh-now')")
    desk.get_by_role("link", name="History").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text("History")


TYPES_AT_ONCE = """
new Promise((done) => {
  const watcher = new MutationObserver(() => {
    const who = document.getElementById("id_who");
    if (document.querySelector("#ask [aria-pressed=true]") === null) return;
    watcher.disconnect();
    who.value = "nobody";
    who.dispatchEvent(new Event("input", { bubbles: true }));
    done();
  });
  watcher.observe(document.querySelector("main"), { childList: true, subtree: true });
  document.querySelector("#ask [aria-pressed=false]").click();
})
"""


def test_text_typed_as_soon_as_a_form_appears_is_handled(desk: Page) -> None:
    desk.evaluate(TYPES_AT_ONCE)
    expect(desk.get_by_test_id("devices")).to_contain_text("nobody")


def test_breaches_of_the_policy_and_errors_are_noticed(desk: Page, complaints: Complaints) -> None:
    desk.evaluate("document.body.setAttribute('style', 'color: red')")
    desk.evaluate("console.error('something')")
    errors = complaints.unexpected()
    assert any("style-src-attr" in error for error in errors)
    assert "something" in errors
    complaints.errors.clear()


def test_selected_row_stays_selected_while_it_changes_and_is_run_again(desk: Page, portal: Portal) -> None:
    (device,) = able_devices(portal, 22)[21:]  # a device that no other test uses
    request_run(desk, [f"{device['deviceId']}, {device['personEmail']}"], "Speed test", ticket="TICK-1")
    ours = rows(desk, "TICK-1")
    bar = desk.get_by_role("form", name="Actions for the selected commands")
    expect(ours).to_have_count(1)
    expect(bar).to_be_hidden()
    desk.locator("h1").first.click(force=True)
    desk.keyboard.press("j")
    desk.keyboard.press("x")
    expect(bar).to_contain_text("1 selected")
    expect(ours.get_by_role("checkbox")).to_be_checked()
    assert not (problems := axe_problems_in_both_themes(desk)), "\n".join(problems)
    expect(ours.get_by_test_id("status")).to_have_text("Done")
    expect(ours.get_by_role("checkbox")).to_be_checked()
    expect(bar.get_by_role("button", name="Withdraw")).to_be_hidden()
    bar.get_by_role("button", name="Run again").click()
    expect(desk.get_by_role("status").filter(has_text="1 command run again")).to_be_visible()
    expect(ours).to_have_count(2)
    expect(bar).to_be_hidden()
    desk.get_by_role("checkbox", name="Select all commands shown").check()
    expect(ours.get_by_role("checkbox", checked=True)).to_have_count(2)
    bar.get_by_role("button", name="Clear").click()
    expect(bar).to_be_hidden()


def test_question_mark_shows_the_keys(desk: Page) -> None:
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    problems = axe_problems_in_both_themes(desk)
    assert not problems, "\n".join(problems)
    desk.keyboard.press("Escape")
    expect(desk.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()


def test_desk_fits_a_width_of_390_px(desk: Page, portal: Portal) -> None:
    desk.set_viewport_size({"width": 390, "height": 844})
    for path in ("/", "/?requested_by=everyone&days=all"):
        desk.goto(portal.url + path)
        assert desk.evaluate("document.documentElement.scrollWidth") <= 390
