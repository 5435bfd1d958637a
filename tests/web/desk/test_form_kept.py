"""The form never loses what was typed or selected, and one key creates one run."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from commands.models import Account, Command, Preset, Run
from commands.rules.kinds import Kind
from tests.html import on_one_line
from tests.web.desk.test_request_parts import HTMX, ID, found, laptop, plan_of, typed

pytestmark = pytest.mark.django_db


# --- The one-time key


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": "tom@example.com"},
        {"kinds": ["pcap", "warp-diag"]},
        {"pcap-time-limit-min": "3"},
        {"reason": "another"},
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_used_key_with_other_contents_creates_nothing_and_tells_so(
    account: Account, desk: Client, changes: dict[str, Any], headers: dict[str, str]
) -> None:
    laptop(account, "maria@example.com", "LAP-0042")
    laptop(account, "tom@example.com", "MBP-0311")
    form = typed(account, targets="maria@example.com", reason="VPN slow")
    assert desk.post("/", form).status_code == 303
    answer = desk.post("/", form | changes, headers=headers)
    assert answer.status_code == 422
    assert "You already sent this form with different details." in answer.text
    assert Run.objects.count() == 1
    [key] = re.findall(r'name="key" value="([^"]+)"', answer.text.split('id="ask"')[1].split("</form>")[0])
    assert key != str(form["key"])
    assert (form | changes)["reason"] in answer.text
    assert desk.post("/", form | changes | {"key": key}).status_code == 303
    assert Run.objects.count() == 2


def test_double_click_confirms_the_same_run_twice(account: Account, desk: Client) -> None:
    laptop(account, "maria@example.com", "LAP-0042")
    form = typed(account, targets="maria@example.com", kinds=["pcap", "warp-diag"])
    texts = [desk.post("/", form, headers=HTMX).text for _ in range(2)]
    for text in texts:
        assert f'<a href="/runs/{Run.objects.get().id}/">2 commands queued.</a>' in text


# --- Selected devices and Who


def test_selected_devices_without_a_row_stay_selected(account: Account, desk: Client) -> None:
    many = [laptop(account, f"p{number:03}@example.com", f"LAP-{number:03}") for number in range(60)]
    keys = [one.pk for one in many]
    refused = desk.post("/", typed(account, device=keys, kinds=[])).text
    part = desk.get(f"/ask/devices?who=p0&device={'&device='.join(map(str, keys))}", headers=HTMX).text
    for text in map(on_one_line, (refused, part)):
        assert len(re.findall(r'type="checkbox" id="device-\d+"[^>]* checked', text)) == 50
        assert len(re.findall(r'type="hidden" name="device"', text)) == 10
        assert "and 10 more selected" in text
        assert sorted(map(int, re.findall(r'name="device" value="(\d+)"', text))) == sorted(keys)


def test_who_is_a_target_beside_selected_devices_and_a_list(account: Account, desk: Client) -> None:
    for number in range(3):
        laptop(account, f"p{number}@example.com", f"LAP-{number}")
    tick = laptop(account, "maria@example.com", "LAP-0042")
    form = typed(account, device=[tick.pk], targets="lap-1", who="p2@example.com")
    assert plan_of(desk, form).endswith("Run on 3 devices")
    desk.post("/", form)
    assert {one.device_name for one in Command.objects.all()} == {"LAP-0042", "LAP-1", "LAP-2"}


def test_unknown_who_beside_a_list_is_an_error(account: Account, desk: Client) -> None:
    laptop(account, "p1@example.com", "LAP-1")
    form = typed(account, targets="lap-1", who="zoe")
    answer = desk.post("/", form)
    assert answer.status_code == 422
    assert "No person or device found for “zoe”." in answer.text
    assert "“zoe”" in plan_of(desk, form)
    assert not Run.objects.exists()


def test_search_that_found_a_selected_device_is_no_further_target(account: Account, desk: Client) -> None:
    tick = laptop(account, "maria.lopez@example.com", "LAP-0042")
    laptop(account, "maria@example.com", "LAP-1")
    for who in ("lopez", "maria l", "Maria", "lap-00", tick.device_id[:6]):
        assert plan_of(desk, typed(account, device=[tick.pk], who=who)).endswith("LAP-0042 (maria.lopez@example.com)")


def test_beginning_of_a_name_offers_devices_to_select(account: Account, desk: Client) -> None:
    one = laptop(account, "kaya.berg@example.com", "LAP-1")
    laptop(account, "kaya.lind@example.com", "LAP-2")
    answer = desk.post("/", typed(account, who="kaya"))
    assert answer.status_code == 422
    assert "Several matches for “kaya”. Pick one below." in answer.text
    assert len(re.findall(r'type="checkbox" id="device-', on_one_line(answer.text))) == 2
    assert desk.post("/", typed(account, who="kaya", device=[one.pk])).status_code == 303
    assert Command.objects.get().device_name == "LAP-1"


def test_two_ambiguous_lines_offer_each_device_once(account: Account, desk: Client) -> None:
    for number in range(2):
        laptop(account, "maria@example.com", f"LAP-{number}", registration_id=f"r{number}")
    text = desk.post("/", typed(account, targets="maria@example.com\n maria@example.com", who="maria@example.com")).text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len([one for one in ids if one.startswith("device-")]) == 2
    assert [one for one in ids if ids.count(one) > 1] == []


# --- Matching devices


def test_device_shows_its_client_and_when_it_was_seen(account: Account, desk: Client) -> None:
    laptop(account, "maria@example.com", "LAP-0042")
    text = on_one_line(re.sub(r"<[^>]*>", "", desk.get("/ask/devices?who=maria", headers=HTMX).text))
    assert "LAP-0042 · macOS · client 2026.8.1 · seen" in text


def test_more_matches_than_are_shown_are_mentioned(account: Account, desk: Client) -> None:
    for number in range(9):
        laptop(account, f"maria.{'abcdefghi'[number]}@example.com", f"LAP-{number}")
    assert len(found(desk, "maria")) == 8
    assert "More matches." in desk.get("/ask/devices?who=maria", headers=HTMX).text
    assert "More matches." not in desk.get("/ask/devices?who=maria.a", headers=HTMX).text


# --- Presets and dialects


def test_preset_keeps_the_options_of_other_kinds(account: Account, desk: Client) -> None:
    preset = Preset.objects.get(name="WARP diag")
    form = typed(account, preset=preset.pk) | {"pcap-time-limit-min": "7", "speed-test-interfaces": ["tunnel"]}
    text = on_one_line(desk.post("/ask/preset", form, headers=HTMX).text)
    assert re.search(r'name="pcap-time-limit-min"[^>]* value="7"', text)
    assert re.search(r'name="speed-test-interfaces" value="tunnel" checked', text)
    assert re.search(r'name="warp-diag-test-all-routes"[^>]* checked', text)


def test_older_dialect_never_runs_a_speed_test(account: Account, desk: Client) -> None:
    Account.objects.update(dialect=Account.Dialect.LEGACY)
    answer = desk.post("/", typed(account, kinds=["speed-test"], targets=f"{ID}, m@example.com"))
    assert answer.status_code == 422
    assert "This account&#x27;s API can&#x27;t run “speed-test”." in answer.text
    preset = Preset.objects.create(name="Speed", options={Kind.SPEED_TEST: {}, Kind.PCAP: {}})
    text = on_one_line(desk.post("/ask/preset", typed(account, preset=preset.pk), headers=HTMX).text)
    assert 'value="pcap" checked' in text
    assert "speed-test" not in text


def test_raised_ceiling_counts_in_the_form_and_its_field(account: Account, desk: Client, settings: Any) -> None:
    settings.OPTION_CEILINGS = {**settings.OPTION_CEILINGS, ("pcap", "time-limit-min"): 30}
    form = typed(account, targets=f"{ID}, m@example.com") | {"pcap-time-limit-min": "30"}
    assert 'min="1" max="30"' in on_one_line(desk.get("/").text)
    assert desk.post("/", form).status_code == 303
    assert desk.post("/", form | {"key": uuid4(), "pcap-time-limit-min": "31"}).status_code == 422


# --- The response shows the new rows


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("group=done", "/?account={account}&asked=mine&days=7"),
        ("kind=warp-diag&days=all", "/?account={account}&asked=mine&days=all"),
        ("before=0190a1b2-0000-7000-8000-000000000000", "/?account={account}&asked=mine&days=7"),
        ("group=open&kind=pcap", None),
        ("asked=everyone", None),
    ],
)
def test_filters_that_would_hide_the_new_rows_are_dropped(
    account: Account, desk: Client, query: str, address: str | None
) -> None:
    headers = {**HTMX, "HX-Current-URL": f"http://testserver/?{query}"}
    answer = desk.post("/", typed(account, targets=f"{ID}, m@example.com"), headers=headers)
    assert f'id="row-{Command.objects.get().id}"' in answer.text
    assert answer.get("HX-Replace-Url") == (address.format(account=account.id) if address else None)
