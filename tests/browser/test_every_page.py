"""Accessibility of every page, in both themes and on a narrow screen."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import axe_problems, axe_problems_in_both_themes
from tests.browser.conftest import Complaints, Portal, sign_in
from tests.browser.desk_form import able_devices, new_plan, request_run, rows

pytestmark = pytest.mark.browser

SIGNED_OUT = ("/accounts/login/", "/accounts/password/reset/")
SIGNED_IN = (
    "/",
    "/?requested_by=everyone&days=all",
    "/history/",
    "/history/?person=x",
    "/search/?q=nothing",
    "/accounts/password/change/",
    "/accounts/logout/",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(page: Page, portal: Portal, complaints: Complaints, scheme: str) -> None:
    complaints.expect_status(422)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    problems: list[str] = []
    for path in SIGNED_OUT:
        page.goto(portal.url + path)
        problems += axe_problems(page)
    sign_in(page, portal, "helpdesk")
    for path in SIGNED_IN:
        page.goto(portal.url + path)
        problems += axe_problems(page)
    page.goto(portal.url)
    page.locator("summary[aria-label='Your menu']").click()
    page.get_by_role("checkbox", name="Packet capture", exact=True).check()
    page.get_by_text("Packet capture: options").click()
    problems += axe_problems(page)
    page.get_by_label("Duration").fill("99")
    with new_plan(page, "nobody%40example.com"):
        page.get_by_role("textbox", name="Who").fill("nobody@example.com")
        page.keyboard.press("Tab")
    page.get_by_test_id("run").click()
    expect(page.get_by_test_id("who-errors")).to_contain_text("Cloudflare lists no device for nobody@example.com")
    problems += [*axe_problems(page), *problems_at_390_px(page)]
    assert not problems, "\n".join(problems)


def test_axe_finds_nothing_on_the_pages_of_a_command_its_person_device_and_run(desk: Page, portal: Portal) -> None:
    device = able_devices(portal, 21)[20]  # a device that no other test uses
    request_run(desk, [f"{device['deviceId']}, {device['personEmail']}"], "Speed test", ticket="PAGES-1")
    rows(desk, "PAGES-1").get_by_test_id("open").click()
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Speed test on")
    address, problems = desk.url, [*axe_problems_in_both_themes(desk), *problems_at_390_px(desk)]
    for name in (device["personEmail"], device["deviceName"], "see all commands"):
        desk.goto(address)
        desk.get_by_role("link", name=name).first.click()
        desk.wait_for_url(re.compile("/(people|devices|runs)/"))
        problems += [*axe_problems_in_both_themes(desk), *problems_at_390_px(desk)]
    for path in ("/history/", "/history/?ticket=PAGES-1&status=done"):
        desk.goto(portal.url + path)
        problems += problems_at_390_px(desk)
    assert not problems, "\n".join(problems)


def problems_at_390_px(page: Page) -> list[str]:
    """Return the problems of a page at 390 px: wider than the screen, or reported by axe."""
    page.set_viewport_size({"width": 390, "height": 844})
    width = page.evaluate("document.documentElement.scrollWidth")
    problems = [f"{page.url} is {width} px wide"] if width > 390 else []
    problems += axe_problems(page)
    page.set_viewport_size({"width": 1280, "height": 860})
    return problems


def test_axe_finds_nothing_on_the_status_page(page: Page, portal: Portal) -> None:
    sign_in(page, portal, "admin")
    page.goto(f"{portal.url}/status/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Status")
    problems = [*axe_problems_in_both_themes(page), *problems_at_390_px(page)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_pages_that_are_forbidden_or_missing(
    page: Page, portal: Portal, complaints: Complaints, scheme: str
) -> None:
    complaints.expect_status(403, 404)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in(page, portal, "outsider")
    expect(page.get_by_role("heading", level=1)).to_have_text("No access")
    problems = axe_problems(page)
    page.goto(f"{portal.url}/commands/01234567-89ab-7def-8123-456789abcdef/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    problems += [*axe_problems(page), *problems_at_390_px(page)]
    assert not problems, "\n".join(problems)


def test_chosen_theme_is_set_before_the_next_page_is_painted(desk: Page, portal: Portal) -> None:
    desk.emulate_media(color_scheme="light")
    desk.locator("summary[aria-label='Your menu']").click()
    desk.get_by_role("button", name="Dark").click()
    assert desk.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    desk.goto(portal.url)
    assert desk.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    assert desk.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 25)"
