"""Parts of the form that load as somebody types: devices, presets and the plan. All work without htmx too."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.models import Account, AccountSync, Command, Preset, User
from commands.rules.states import Status
from tests.html import Page
from tests.people import make_account, make_person
from tests.rows import make_command, make_run, trouble
from tests.web.conftest import SignIn
from tests.web.desk.request_form import HTMX, ID, laptop, matching_devices, matching_people, plan_of, typed

pytestmark = pytest.mark.django_db


def test_people_are_found_by_first_or_last_name_address_or_device(account: Account, desk: Client) -> None:
    laptop(account, "maria.lopez@example.com", "LAP-0042")
    laptop(account, "tom.okafor@example.com", "MBP-0311")
    laptop(make_account("Foreign"), "marius@example.com", "LAP-0001")
    for text in ("maria", "Lopez", "maria lopez", "MARIA.LOPEZ@example.com", "lap-00", " maria "):
        assert matching_people(desk, text) == ["maria.lopez"], text
    assert matching_people(desk, "example") == []
    assert matching_people(desk, "") == []
    AccountSync.objects.filter(account=account).update(directory_at=timezone.now())
    assert "No match for “zoe”." in matching_devices(desk, "zoe").text(".hint")


def test_selected_devices_stay_above_matches_and_are_not_shown_twice(account: Account, desk: Client) -> None:
    maria = laptop(account, "maria@example.com", "LAP-0042")
    laptop(account, "marius@example.com", "LAP-0043")
    assert matching_people(desk, "mari", maria) == ["maria", "marius"]
    assert matching_people(desk, "nobody", maria) == ["maria"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "ready"),
        ({"seen_at": timezone.now() - timedelta(hours=3)}, "offline"),
        ({"eligible": False, "ineligible_reason": "unsupported platform"}, "not supported: unsupported platform"),
        ({"client_version": "2023.1.1"}, "update needed: client 2023.1.1"),
    ],
)
def test_device_shows_whether_it_can_run_commands_or_why_not(
    account: Account, desk: Client, values: dict[str, Any], expected: str
) -> None:
    laptop(account, "maria@example.com", "LAP-0042", **values)
    assert expected in matching_devices(desk, "maria").text("[data-testid=device]")


def test_button_names_person_and_device_or_counts_devices(account: Account, desk: Client) -> None:
    maria = laptop(account, "maria@example.com", "LAP-0042")
    tom = laptop(account, "tom@example.com", "MBP-0311")
    assert plan_of(desk, typed(account, device=[maria.pk])).endswith("Run on LAP-0042 (maria@example.com)")
    assert plan_of(desk, typed(account, targets=f"{ID}, new@example.com")).endswith(f"Run on {ID} (new@example.com)")
    both = typed(account, device=[maria.pk, tom.pk])
    assert plan_of(desk, both).endswith("Run on 2 devices")
    assert plan_of(desk, {**both, "kinds": ["pcap", "warp-diag"]}).endswith("Run on 2 devices (4 commands)")
    assert plan_of(desk, typed(account)) == "Run"


def test_plan_shows_what_would_happen_and_what_it_costs(account: Account, desk: Client, helpdesk: User) -> None:
    AccountSync.objects.filter(account=account).update(quota_used=37, quota_total=200)
    busy = laptop(account, "maria@example.com", "LAP-0042")
    away = laptop(account, "tom@example.com", "MBP-0311", seen_at=timezone.now() - timedelta(hours=3))
    make_command(make_run(account, helpdesk), Status.PENDING_EXEC, device_id=busy.device_id)
    form = typed(account, device=[busy.pk, away.pk], targets=f"{ID}, new@example.com\nnobody")
    text = plan_of(desk, form)
    for expected in (
        "1 waits for the packet capture already running",
        "1 offline for 3 h",
        "1 not verified: Cloudflare doesn't list it",
        "1 of 2 lines has a problem; 1 is fine",
        "quota 37 → 40 of 200",
    ):
        assert expected in text, text
    assert Command.objects.count() == 1


@pytest.mark.parametrize("troubled", [False, True])
def test_plan_needs_as_many_queries_for_many_devices_as_for_few(
    account: Account, desk: Client, helpdesk: User, troubled: bool
) -> None:
    if troubled:
        trouble(account, helpdesk)
    many = [laptop(account, f"p{number}@example.com", f"LAP-{number}") for number in range(60)]
    counts = []
    for devices in (many[:1], many):
        form = typed(account, device=[device.pk for device in devices], targets="p1@example.com")
        with CaptureQueriesContext(connection) as queries:
            plan_of(desk, form)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_preset_selects_its_kinds_and_options_and_keeps_what_was_typed(
    account: Account, desk: Client, headers: dict[str, str]
) -> None:
    maria = laptop(account, "maria@example.com", "LAP-0042")
    preset = Preset.objects.get(name="Quick look (diag + 2 min)")
    form = typed(account, device=[maria.pk], targets="tom@example.com", preset=preset.pk, reason="VPN slow")
    page = Page.of(desk.post("/ask/preset", form, headers=headers))
    assert ("<html" in page.html) is (not headers)
    assert [kind["value"] for kind in page.select("[name=kinds][checked]")] == ["pcap", "warp-diag"]
    assert [device["value"] for device in page.select("[name=device][checked]")] == [str(maria.pk)]
    assert page.text("[name=targets]") == "tom@example.com"
    for name, value in {
        "pcap-time-limit-min": "2",
        "pcap-max-file-size-mb": "50",
        "reason": "VPN slow",
        "key": str(form["key"]),
    }.items():
        assert page.one(f"#ask input[name={name}]")["value"] == value, name
    assert page.one(f"#preset-{preset.pk}")["aria-pressed"] == "true"


def test_inactive_preset_is_not_found(account: Account, desk: Client) -> None:
    preset = Preset.objects.get(name="Full packets (1 min)")
    Preset.objects.filter(id=preset.pk).update(active=False)
    assert not Page.of(desk.get("/")).select(f"#preset-{preset.pk}")
    assert desk.post("/ask/preset", typed(account, preset=preset.pk)).status_code == 404


def test_parts_of_the_form_need_the_right_to_run(account: Account, sign_in: SignIn) -> None:
    client = sign_in(make_person("mia", "manager"))
    assert client.get("/ask/devices?who=m").status_code == 403
    assert client.post("/ask/preset", typed(account)).status_code == 403
    assert client.post("/ask/plan", typed(account)).status_code == 403


def test_who_field_is_enough_if_it_matches_one_device(account: Account, desk: Client) -> None:
    laptop(account, "maria@example.com", "LAP-0042")
    assert desk.post("/", typed(account, who="maria@example.com")).status_code == 303
    assert Command.objects.get().device_name == "LAP-0042"


def test_email_of_several_devices_offers_them_for_selection(account: Account, desk: Client) -> None:
    laptop(account, "maria@example.com", "LAP-0042")
    laptop(account, "maria@example.com", "MBP-0007")
    answer = desk.post("/", typed(account, who="maria@example.com"))
    assert answer.status_code == 422
    page = Page.of(answer)
    error = "maria@example.com has 2 devices (LAP-0042, MBP-0007). Enter the device name instead."
    assert error in page.text("[data-testid=who-errors]")
    assert len(page.select("[name=device]")) == 2


def test_purpose_has_to_be_one_of_the_offered_ones(account: Account, desk: Client) -> None:
    purpose = Page.of(desk.get("/")).select("#id_purpose option:not([value=''])")[0]["value"]
    assert desk.post("/", typed(account, targets=f"{ID}, m@example.com", purpose=purpose)).status_code == 303
    run = Command.objects.get().run
    assert run is not None
    assert run.purpose == purpose
    answer = desk.post("/", typed(account, targets=f"{ID}, m@example.com", purpose="invented"))
    assert answer.status_code == 422
    assert "Select a valid choice. invented is not one of the available choices." in Page.of(answer).texts(".error")


def test_search_waits_for_the_first_listing_of_devices(desk: Client, account: Account) -> None:
    hint = matching_devices(desk, "maria").one(".hint")
    assert "listed any devices yet" in hint.text()
    assert "load delay" in hint["hx-trigger"]
    AccountSync.objects.filter(account=account).update(directory_at=timezone.now())
    assert "No match for" in matching_devices(desk, "maria").text(".hint")
