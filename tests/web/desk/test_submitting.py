"""Posted forms become runs, or come back with an error at each wrong field."""

from typing import Any

import pytest
from django.test import Client

from commands.models import Account, Command, Run
from tests.html import Page
from tests.people import make_account
from tests.rows import make_device
from tests.web.desk.request_form import HTMX, ID, typed

pytestmark = pytest.mark.django_db

PCAP = {"pcap-time-limit-min": "2", "pcap-max-file-size-mb": "50", "pcap-packet-size-bytes": "160"}


def complete_form(account: Account, /, **values: Any) -> dict[str, Any]:
    """Return the fields of a form that creates a run, changed by these values."""
    return typed(account, **{**PCAP, "targets": f"{ID}, maria@example.com", "reason": "VPN slow", **values})


def test_posted_form_creates_a_run_and_leads_back_to_the_desk(account: Account, desk: Client) -> None:
    answer = desk.post("/", complete_form(account))
    assert answer.status_code == 303
    assert answer["Location"] == f"/?account={account.id}"
    command = Command.objects.get()
    assert (command.device_id, command.email, command.listed) == (ID, "maria@example.com", False)
    assert command.options == {"time-limit-min": 2, "max-file-size-mb": 50, "packet-size-bytes": 160}
    assert command.run is not None
    assert (command.run.ticket, command.run.reason) == ("INC-1", "VPN slow")
    assert "1 command queued." in Page.of(desk.get(answer["Location"])).text("main > [role=status]")


def test_htmx_gets_an_empty_form_with_a_new_key_and_the_new_rows(account: Account, desk: Client) -> None:
    form = complete_form(account)
    headers = {**HTMX, "HX-Current-URL": "http://testserver/?requested_by=mine"}
    answer = desk.post("/", form, headers=headers)
    assert answer.status_code == 200
    page = Page.of(answer)
    assert page.one("#ask [name=key]")["value"] not in ("", str(form["key"]))
    assert page.one("#id_ticket")["value"] == ""
    row = page.text(f"#rows #row-{Command.objects.get().id}")
    assert "INC-1" in row
    assert "maria@example.com" in row


def test_form_that_is_sent_twice_creates_one_run(account: Account, desk: Client) -> None:
    form = complete_form(account)
    assert [desk.post("/", form).status_code for _ in range(2)] == [303, 303]
    assert Run.objects.count() == 1
    assert Command.objects.count() == 1


def test_known_email_or_device_name_is_enough(account: Account, desk: Client) -> None:
    first = make_device(account, email="maria@example.com", name="LAP-0042", registration_id="r1", platform="windows")
    second = make_device(account, email="tom@example.com", name="MBP-0311", registration_id="r2", platform="mac")
    desk.post("/", complete_form(account, targets="maria@example.com\nmbp-0311\n", kinds=["pcap", "warp-diag"]))
    rows = Command.objects.order_by("id").values_list("device_id", "registration_id", "kind", "device_name", "listed")
    assert list(rows) == [
        (first.device_id, "r1", "warp-diag", "LAP-0042", True),
        (first.device_id, "r1", "pcap", "LAP-0042", True),
        (second.device_id, "r2", "warp-diag", "MBP-0311", True),
        (second.device_id, "r2", "pcap", "MBP-0311", True),
    ]


def test_selected_device_that_is_not_listed_is_an_error_and_the_others_stay(account: Account, desk: Client) -> None:
    mine = make_device(account, email="maria@example.com")
    foreign = make_device(make_account("Foreign"), email="tom@example.com")
    answer = desk.post("/", complete_form(account, targets="", device=[mine.pk, foreign.pk]))
    assert answer.status_code == 422
    page = Page.of(answer)
    assert page.text("[data-testid=who-errors]") == "1 selected device is no longer listed. Search for it again."
    assert [device["value"] for device in page.select("[name=device]")] == [str(mine.pk)]
    desk.post("/", complete_form(account, targets="", device=[mine.pk]))
    assert [command.device_id for command in Command.objects.all()] == [mine.device_id]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"targets": ""}, "Choose a person or device, or paste a list."),
        ({"targets": "nobody@example.com"}, "Cloudflare lists no device for nobody@example.com."),
        ({"targets": f"\n{ID}"}, "Line 2 This device isn't listed."),
        ({"targets": "LAP-9999"}, "No person or device found for “lap-9999”."),
        ({"targets": f"{ID}, maria"}, "“maria” isn't a valid email address."),
        ({"targets": f"{ID}, m@example.com, {'r' * 65}"}, "Line 1 The registration is longer than 64"),
        ({"targets": f"{ID}, m@example.com, r\x00"}, "Line 1 This line has unreadable characters."),
        ({"who": "LAP\x00", "targets": ""}, "This line has unreadable characters."),
        ({"targets": f"{ID}, maria@example.com, r, x"}, "Too many columns. Use: device id, email, registration."),
        (
            {"targets": "maria@example.com"},
            "maria@example.com has 2 devices (LAP-1, LAP-2). Enter the device name",
        ),
        ({"targets": "LAP-1, tom@example.com"}, "LAP-1 isn't tom@example.com's"),
        ({"targets": "x" * (2 * 1024 * 1024 + 1)}, "A list can have 2 MB at most. Split it."),
        ({"targets": "a\n" * 5001}, "5001 lines. A run can have 5000 targets at most."),
        ({"kinds": []}, "Choose at least one command to run."),
        ({"pcap-time-limit-min": "11"}, "Duration has to be at most 10 min."),
        ({"pcap-max-file-size-mb": "some"}, "Maximum file size has to be a whole number (MB)."),
        ({"ticket": "T" * 65}, "at most 64 characters"),
        ({"key": ""}, "This form is out of date. Reload the page."),
    ],
)
def test_wrong_field_has_an_error_and_keeps_what_was_typed(
    account: Account, desk: Client, values: dict[str, Any], sentence: str
) -> None:
    make_device(account, email="maria@example.com", name="LAP-1")
    make_device(account, email="maria@example.com", name="LAP-2")
    for headers in ({}, HTMX):
        answer = desk.post("/", complete_form(account, **values), headers=headers)
        assert answer.status_code == 422
        page = Page.of(answer)
        assert sentence in " ".join(page.texts("#ask .error, #ask .errors"))
        assert page.one("#id_reason")["value"] == "VPN slow"
        if values.get("targets"):
            assert page.text("#id_targets")[:40] == " ".join(values["targets"].split())[:40]
    assert not Run.objects.exists()


def test_form_of_another_account_runs_in_that_account(account: Account, desk: Client) -> None:
    other = make_account("Zeta")
    answer = desk.post("/", complete_form(other, account=str(other.id)))
    assert answer.status_code == 303
    assert Command.objects.get().account == other


def test_wrong_lines_after_the_first_twenty_are_only_counted(account: Account, desk: Client) -> None:
    answer = desk.post("/", complete_form(account, targets="\n".join(f"nobody{number}" for number in range(50))))
    errors = Page.of(answer).texts("#targets-errors li")
    assert len(errors) == 21
    assert errors[-1] == "and 30 more"


def test_csv_with_a_heading_comments_and_other_separators_is_read(account: Account, desk: Client) -> None:
    lines = f'device_id;email;registration_id\n# the first floor\n{ID};"Maria@Example.com";reg-1\n\n'
    assert desk.post("/", complete_form(account, targets=lines)).status_code == 303
    command = Command.objects.get()
    assert (command.device_id, command.email, command.registration_id) == (ID, "maria@example.com", "reg-1")
