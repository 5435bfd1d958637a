"""Plan and Run agree: devices that Cloudflare would refuse are skipped and named."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.models import Account, AccountSync, Command, Device, Run, User
from commands.rules.states import Status
from tests.html import Page
from tests.rows import make_command, make_run
from tests.web.desk.request_form import HTMX, ID, laptop, plan_of, typed

pytestmark = pytest.mark.django_db

UNABLE: dict[str, Any] = {"eligible": False, "ineligible_reason": "unsupported platform", "platform": "android"}


@pytest.fixture
def fleet(account: Account) -> list[Device]:
    """Three devices that can run commands and three that can't."""
    return [
        *[laptop(account, f"p{number}@example.com", f"LAP-{number}") for number in range(3)],
        laptop(account, "ann@example.com", "TAB-1", **UNABLE),
        laptop(account, "bob@example.com", "TAB-2", **UNABLE),
        laptop(account, "cat@example.com", "OLD-1", client_version="2023.1.1"),
    ]


def test_plan_counts_and_names_devices_and_the_button_counts_those_that_run(
    account: Account, desk: Client, fleet: list[Device]
) -> None:
    text = plan_of(desk, typed(account, device=[device.pk for device in fleet], kinds=["pcap", "warp-diag"]))
    for expected in (
        "3 ready LAP-0 (p0@example.com) LAP-1 (p1@example.com) LAP-2 (p2@example.com)",
        "2 not supported: unsupported platform (skipped) TAB-1 (ann@example.com) TAB-2 (bob@example.com)",
        "1 update needed: client 2023.1.1, needs 2024.12.492.0 (skipped) OLD-1 (cat@example.com)",
        "Run on 3 of 6 devices (6 commands)",
    ):
        assert expected in text, text


def test_run_skips_the_devices_that_the_plan_skips_and_names_them(
    account: Account, desk: Client, fleet: list[Device]
) -> None:
    page = Page.of(desk.post("/", typed(account, device=[device.pk for device in fleet]), headers=HTMX))
    assert {command.device_name for command in Command.objects.all()} == {"LAP-0", "LAP-1", "LAP-2"}
    run = Run.objects.get()
    assert run.devices == 3
    confirmation = page.one("[data-testid=confirmation]")
    assert confirmation.text(f"a[href='/runs/{run.id}/']") == "3 commands queued."
    skipped = "3 of 6 devices were skipped: TAB-1 (ann@example.com): not supported: unsupported platform; TAB-2"
    assert skipped in confirmation.text()


def test_next_page_confirms_without_htmx(account: Account, desk: Client, fleet: list[Device]) -> None:
    answer = desk.post("/", typed(account, device=[fleet[0].pk, fleet[3].pk]))
    confirmation = Page.of(desk.get(answer["Location"])).one("main > [role=status]")
    assert confirmation.text(f"a[href='/commands/{Command.objects.get().id}/']") == "1 command queued."
    skipped = "1 of 2 devices was skipped: TAB-1 (ann@example.com): not supported: unsupported platform."
    assert skipped in confirmation.text()


@pytest.mark.parametrize(
    ("indexes", "sentence"),
    [
        ([3], "This device can't run it: unsupported platform."),
        ([3, 4], "No device can run it: not supported: unsupported platform."),
        ([3, 5], "No device can run it: TAB-1 (ann@example.com): not supported: unsupported platform; OLD-1 (cat"),
    ],
)
def test_button_and_run_tell_why_no_device_can_run(
    account: Account, desk: Client, fleet: list[Device], indexes: list[int], sentence: str
) -> None:
    form = typed(account, device=[fleet[index].pk for index in indexes])
    plan = Page.of(desk.post("/ask/plan", form, headers=HTMX))
    assert plan.select("[data-testid=run][disabled][aria-describedby=why-not]")
    assert sentence in plan.text("#why-not")
    answer = desk.post("/", form, headers=HTMX)
    assert answer.status_code == 422
    assert sentence in Page.of(answer).text("#ask")
    assert not Run.objects.exists()


def test_shared_device_without_a_registration_is_skipped(account: Account, desk: Client) -> None:
    for email in ("a@example.com", "b@example.com"):
        laptop(account, email, "PC", device_id=ID, registration_id="" if email[0] == "a" else "r")
    form = typed(account, targets=f"{ID}, a@example.com")
    assert "shared device: say which user" in plan_of(desk, form)
    assert desk.post("/", form).status_code == 422


def test_command_over_the_quota_is_created_and_waits(account: Account, desk: Client, fleet: list[Device]) -> None:
    AccountSync.objects.filter(account=account).update(quota_used=199, quota_total=200)
    form = typed(account, device=[device.pk for device in fleet[:2]])
    text = plan_of(desk, form)
    assert "1 over today's quota: waits up to 60 min for the reset, then expires" in text
    assert text.endswith("Run on 2 devices")
    desk.post("/", form)
    assert Command.objects.filter(status=Status.QUEUED).count() == 2


def test_device_that_cannot_run_commands_is_not_run_again(account: Account, desk: Client, helpdesk: User) -> None:
    device = laptop(account, "ann@example.com", "TAB-1", **UNABLE)
    values = {"device_id": device.device_id, "registration_id": device.registration_id, "email": device.email}
    old = make_command(make_run(account, helpdesk), Status.FAILED, **values)
    answer = desk.post(f"/commands/{old.id}/run-again", {"key": str(uuid4())})
    assert answer.status_code == 403
    assert "This device can't run it: unsupported platform." in Page.of(answer).text("main")
    Device.objects.update(eligible=True)
    assert desk.post(f"/commands/{old.id}/run-again", {"key": str(uuid4())}).status_code == 303


def test_unverified_target_is_not_run_again_after_it_was_listed_as_ineligible(
    account: Account, desk: Client, helpdesk: User
) -> None:
    device = laptop(account, "ann@example.com", "TAB-1", **UNABLE)
    old = make_command(make_run(account, helpdesk), Status.FAILED, device_id=device.device_id, email=device.email)
    assert desk.post(f"/commands/{old.id}/run-again", {"key": str(uuid4())}).status_code == 403


def test_run_needs_as_many_queries_for_many_devices_as_for_few(account: Account, desk: Client) -> None:
    many = [laptop(account, f"p{number}@example.com", f"LAP-{number}") for number in range(60)]
    counts = []
    for devices in (many[:10], many):
        with CaptureQueriesContext(connection) as queries:
            assert (
                desk.post("/", typed(account, device=[device.pk for device in devices]), headers=HTMX).status_code
                == 200
            )
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- Sentences of the plan


def test_plan_without_a_kind_tells_what_is_missing(account: Account, desk: Client, fleet: list[Device]) -> None:
    assert "Choose at least one command to run." in plan_of(desk, typed(account, device=[fleet[0].pk], kinds=[]))
    assert plan_of(desk, typed(account, kinds=[])) == "Run"


def test_option_out_of_bounds_is_a_problem_in_the_plan(account: Account, desk: Client, fleet: list[Device]) -> None:
    form = typed(account, device=[fleet[0].pk]) | {"pcap-time-limit-min": "11"}
    assert "Duration has to be at most 10 min." in plan_of(desk, form)
    page = Page.of(desk.get("/"))
    duration = page.one("[name=pcap-time-limit-min]")["id"]
    assert page.text(f"label[for={duration}] .bounds") == "1 to 10"


def test_plan_reminds_to_tell_the_people(account: Account, desk: Client, fleet: list[Device]) -> None:
    text = plan_of(desk, typed(account, device=[fleet[0].pk]))
    assert "Let p0@example.com know you're doing this." in text
    assert "Let the 2 people know" in plan_of(desk, typed(account, device=[fleet[0].pk, fleet[1].pk, fleet[3].pk]))


def test_lines_with_problems_are_named_in_the_plan(account: Account, desk: Client, fleet: list[Device]) -> None:
    text = plan_of(desk, typed(account, targets="lap-0\nnobody\nlap-1"))
    assert "1 of 3 lines has a problem; 2 are fine Line 2: No person or device found for “nobody”." in text


def test_device_with_two_kinds_counts_once(account: Account, desk: Client) -> None:
    device = laptop(account, "maria@example.com", "LAP-0042", platform="windows")
    text = plan_of(desk, typed(account, device=[device.pk], kinds=["pcap", "warp-diag"]))
    assert "1 ready (diag first, then capture) LAP-0042 (maria@example.com)" in text


# --- Accounts that are not in use


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"retired_at": timezone.now()}, "Acme is retired. No commands can be run in it."),
        ({"credential": None}, "Acme has no credential yet. Ask an administrator."),
        ({"upstream": "https://other.example.com"}, "Acme belongs to a different Cloudflare endpoint."),
    ],
)
def test_account_that_is_not_in_use_has_a_reason_in_place_of_the_form(
    account: Account, desk: Client, helpdesk: User, values: dict[str, Any], sentence: str
) -> None:
    device = laptop(account, "maria@example.com", "LAP-0042")
    old = make_command(make_run(account, helpdesk), Status.FAILED, requested_at=timezone.now() - timedelta(hours=1))
    Account.objects.update(**values)
    page = Page.of(desk.get(f"/?account={account.id}"))
    assert page.text("#ask [role=status]").startswith(sentence)
    assert not page.select("[name=kinds]")
    assert not Page.of(desk.get(f"/commands/{old.id}/")).select("form[action$='/run-again']")
    form = typed(account, device=[device.pk])
    for headers in ({}, HTMX):
        answer = desk.post("/", form, headers=headers)
        assert answer.status_code == 422
        assert sentence in Page.of(answer).text("#ask")
    plan = Page.of(desk.post("/ask/plan", form, headers=HTMX))
    assert sentence in plan.text("#why-not")
    assert "disabled" in plan.one("[data-testid=run]")
    refused = desk.post(f"/commands/{old.id}/run-again", {"key": str(uuid4())})
    assert refused.status_code == 403
    assert sentence in Page.of(refused).text("main")
    assert Run.objects.count() == 1
