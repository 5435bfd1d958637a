"""Typed and selected values are never lost, and one key of a form creates one run."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from commands.models import Account, Command, Preset, Run
from commands.rules.kinds import Kind
from tests.html import Page
from tests.web.desk.request_form import HTMX, ID, laptop, matching_devices, matching_people, plan_of, typed

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
def test_used_key_with_other_contents_is_refused(
    account: Account, desk: Client, changes: dict[str, Any], headers: dict[str, str]
) -> None:
    laptop(account, "maria@example.com", "LAP-0042")
    laptop(account, "tom@example.com", "MBP-0311")
    form = typed(account, targets="maria@example.com", reason="VPN slow")
    assert desk.post("/", form).status_code == 303
    answer = desk.post("/", form | changes, headers=headers)
    assert answer.status_code == 422
    page = Page.of(answer)
    assert "You already sent this form with different details." in " ".join(page.texts("#ask .error"))
    assert Run.objects.count() == 1
    key = page.one("#ask [name=key]")["value"]
    assert key != str(form["key"])
    assert page.one("#id_reason")["value"] == (form | changes)["reason"]
    assert desk.post("/", form | changes | {"key": key}).status_code == 303
    assert Run.objects.count() == 2


def test_double_click_confirms_the_same_run_twice(account: Account, desk: Client) -> None:
    laptop(account, "maria@example.com", "LAP-0042")
    form = typed(account, targets="maria@example.com", kinds=["pcap", "warp-diag"])
    pages = [Page.of(desk.post("/", form, headers=HTMX)) for _ in range(2)]
    for page in pages:
        assert page.text(f"[data-testid=confirmation] a[href='/runs/{Run.objects.get().id}/']") == "2 commands queued."


# --- Selected devices and Who


def test_selected_devices_without_a_row_stay_selected(account: Account, desk: Client) -> None:
    many = [laptop(account, f"p{number:03}@example.com", f"LAP-{number:03}") for number in range(60)]
    keys = [device.pk for device in many]
    refused = Page.of(desk.post("/", typed(account, device=keys, kinds=[])))
    for page in (refused, matching_devices(desk, "p0", *many)):
        assert len(page.select("[name=device][type=checkbox][checked]")) == 50
        assert len(page.select("[name=device][type=hidden]")) == 10
        assert "and 10 more selected" in page.texts(".hint")
        assert sorted(int(field["value"]) for field in page.select("[name=device]")) == sorted(keys)


def test_who_field_adds_a_target_to_selected_devices_and_a_list(account: Account, desk: Client) -> None:
    for number in range(3):
        laptop(account, f"p{number}@example.com", f"LAP-{number}")
    selected = laptop(account, "maria@example.com", "LAP-0042")
    form = typed(account, device=[selected.pk], targets="lap-1", who="p2@example.com")
    assert plan_of(desk, form).endswith("Run on 3 devices")
    desk.post("/", form)
    assert {command.device_name for command in Command.objects.all()} == {"LAP-0042", "LAP-1", "LAP-2"}


def test_who_field_without_a_match_is_an_error_beside_a_list(account: Account, desk: Client) -> None:
    laptop(account, "p1@example.com", "LAP-1")
    form = typed(account, targets="lap-1", who="zoe")
    answer = desk.post("/", form)
    assert answer.status_code == 422
    assert Page.of(answer).text("[data-testid=who-errors]") == "No person or device found for “zoe”."
    assert "“zoe”" in plan_of(desk, form)
    assert not Run.objects.exists()


def test_search_text_of_a_selected_device_does_not_add_a_target(account: Account, desk: Client) -> None:
    selected = laptop(account, "maria.lopez@example.com", "LAP-0042")
    laptop(account, "maria@example.com", "LAP-1")
    for who in ("lopez", "maria l", "Maria", "lap-00", selected.device_id[:6]):
        assert plan_of(desk, typed(account, device=[selected.pk], who=who)).endswith(
            "LAP-0042 (maria.lopez@example.com)"
        )


def test_beginning_of_a_name_offers_devices_to_select(account: Account, desk: Client) -> None:
    berg = laptop(account, "kaya.berg@example.com", "LAP-1")
    laptop(account, "kaya.lind@example.com", "LAP-2")
    answer = desk.post("/", typed(account, who="kaya"))
    assert answer.status_code == 422
    page = Page.of(answer)
    assert page.text("[data-testid=who-errors]") == "Several matches for “kaya”. Pick one below."
    assert len(page.select("[name=device][type=checkbox]")) == 2
    assert desk.post("/", typed(account, who="kaya", device=[berg.pk])).status_code == 303
    assert Command.objects.get().device_name == "LAP-1"


def test_two_ambiguous_lines_offer_each_device_once(account: Account, desk: Client) -> None:
    for number in range(2):
        laptop(account, "maria@example.com", f"LAP-{number}", registration_id=f"r{number}")
    form = typed(account, targets="maria@example.com\n maria@example.com", who="maria@example.com")
    page = Page.of(desk.post("/", form))
    ids = [element["id"] for element in page.select("[id]")]
    assert len(page.select("[name=device]")) == 2
    assert len(ids) == len(set(ids))


# --- Matching devices


def test_device_shows_its_client_and_when_it_was_seen(account: Account, desk: Client) -> None:
    laptop(account, "maria@example.com", "LAP-0042")
    device = matching_devices(desk, "maria").text("[data-testid=device]")
    assert "LAP-0042 · macOS · client 2026.8.1 · seen" in device


def test_more_matches_than_are_shown_are_mentioned(account: Account, desk: Client) -> None:
    for number in range(9):
        laptop(account, f"maria.{'abcdefghi'[number]}@example.com", f"LAP-{number}")
    assert len(matching_people(desk, "maria")) == 8
    assert matching_devices(desk, "maria").text(".hint").startswith("More matches.")
    assert not matching_devices(desk, "maria.a").select(".hint")


# --- Presets and dialects


def test_preset_keeps_the_options_of_other_kinds(account: Account, desk: Client) -> None:
    preset = Preset.objects.get(name="WARP diag")
    form = typed(account, preset=preset.pk) | {"pcap-time-limit-min": "7", "speed-test-interfaces": ["tunnel"]}
    page = Page.of(desk.post("/ask/preset", form, headers=HTMX))
    assert page.one("[name=pcap-time-limit-min]")["value"] == "7"
    assert page.one("[name=speed-test-interfaces][checked]")["value"] == "tunnel"
    assert "checked" in page.one("[name=warp-diag-test-all-routes]")


def test_older_dialect_never_runs_a_speed_test(account: Account, desk: Client) -> None:
    Account.objects.update(dialect=Account.Dialect.LEGACY)
    answer = desk.post("/", typed(account, kinds=["speed-test"], targets=f"{ID}, m@example.com"))
    assert answer.status_code == 422
    assert "This account's API can't run “speed-test”." in Page.of(answer).texts(".error")
    preset = Preset.objects.create(name="Speed", options={Kind.SPEED_TEST: {}, Kind.PCAP: {}})
    page = Page.of(desk.post("/ask/preset", typed(account, preset=preset.pk), headers=HTMX))
    assert [kind["value"] for kind in page.select("[name=kinds][checked]")] == ["pcap"]
    assert not page.select("[name=kinds][value=speed-test], .options-speed-test")


def test_raised_ceiling_applies_to_the_form_and_its_field(account: Account, desk: Client, settings: Any) -> None:
    settings.OPTION_CEILINGS = {**settings.OPTION_CEILINGS, ("pcap", "time-limit-min"): 30}
    form = typed(account, targets=f"{ID}, m@example.com") | {"pcap-time-limit-min": "30"}
    field = Page.of(desk.get("/")).one("[name=pcap-time-limit-min]")
    assert (field["min"], field["max"]) == ("1", "30")
    assert desk.post("/", form).status_code == 303
    assert desk.post("/", form | {"key": uuid4(), "pcap-time-limit-min": "31"}).status_code == 422


# --- The response shows the new rows


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("group=done", "/?account={account}&requested_by=mine&days=7"),
        ("kind=warp-diag&days=all", "/?account={account}&requested_by=mine&days=all"),
        ("before=0190a1b2-0000-7000-8000-000000000000", "/?account={account}&requested_by=mine&days=7"),
        ("group=open&kind=pcap", None),
        ("requested_by=everyone", None),
    ],
)
def test_filters_that_would_hide_the_new_rows_are_dropped(
    account: Account, desk: Client, query: str, address: str | None
) -> None:
    headers = {**HTMX, "HX-Current-URL": f"http://testserver/?{query}"}
    answer = desk.post("/", typed(account, targets=f"{ID}, m@example.com"), headers=headers)
    assert Page.of(answer).select(f"#rows #row-{Command.objects.get().id}")
    assert answer.get("HX-Replace-Url") == (address.format(account=account.id) if address else None)
