"""Operations on selected commands, and on the failed commands of a run, with a result for each."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.models import Account, Command, Run, User
from commands.rules.states import Status
from commands.web.shared.operations import SELECTED_MAX
from tests.html import Page
from tests.people import make_account, make_group, make_person
from tests.rows import make_command, make_run
from tests.web.conftest import SignIn
from tests.web.lists import row_ids

pytestmark = pytest.mark.django_db

BACK = "/?requested_by=mine"
MESSAGES = "main > [role=status]"


@pytest.fixture
def run(account: Account, helpdesk: User) -> Run:
    return make_run(account, helpdesk, reason="slow", ticket="INC-1", options={"pcap": {}, "warp-diag": {}})


def named(run: Run, status: str, name: str, **values: Any) -> Command:
    return make_command(run, status, device_name=name, email=f"{name.lower()}@example.com", ticket=run.ticket, **values)


def messages_after(client: Client, act: str, *commands: Command, **given: Any) -> list[str]:
    """Return the messages on the page to which the form leads back."""
    answer = client.post(
        "/commands/act", {"operation": act, "id": [command.id for command in commands], "back": BACK, **given}
    )
    assert (answer.status_code, answer["Location"]) == (303, BACK)
    return Page.of(client.get(BACK)).texts(MESSAGES)


def test_each_command_of_a_mixed_selection_gets_its_result(desk: Client, run: Run) -> None:
    waiting = [named(run, Status.QUEUED, name) for name in ("LAP-2", "LAP-1")]
    running, ended = named(run, Status.PENDING_EXEC, "LAP-3"), named(run, Status.FAILED, "LAP-4")
    assert messages_after(desk, "withdraw", *waiting, running, ended) == [
        "2 commands withdrawn: LAP-1, LAP-2.",
        "LAP-4 was not withdrawn. It has already finished: failed.",
        "LAP-3 was not withdrawn. It has already been sent, and Cloudflare can't cancel it.",
    ]
    assert {Command.objects.get(id=command.id).status for command in waiting} == {Status.WITHDRAWN}
    assert Command.objects.get(id=running.id).status == Status.PENDING_EXEC


def test_finished_commands_are_run_again_once_with_one_new_run_for_each_old_run(
    desk: Client, run: Run, account: Account, helpdesk: User
) -> None:
    failed = [named(run, Status.FAILED, "LAP-1"), named(run, Status.REJECTED, "LAP-2", kind="warp-diag")]
    other = named(make_run(account, helpdesk, ticket="INC-2"), Status.SUCCESS, "LAP-3", options={"time-limit-min": 9})
    open_one = named(run, Status.QUEUED, "LAP-4")
    key = uuid4()
    for _ in range(2):
        assert messages_after(desk, "again", *failed, other, open_one, key=key) == [
            "3 commands run again: LAP-3, LAP-2, LAP-1.",
            "LAP-4 was not run again. It hasn't finished yet: queued.",
        ]
    new = Command.objects.exclude(id__in=[command.id for command in (*failed, other, open_one)]).order_by("id")
    created = {(command.device_name, command.kind, command.ticket, command.status) for command in new}
    assert created == {
        ("LAP-1", "pcap", "INC-1", "queued"),
        ("LAP-2", "warp-diag", "INC-1", "queued"),
        ("LAP-3", "pcap", "INC-2", "queued"),
    }
    assert len(new) == 3
    assert len({command.run_id for command in new}) == 2
    messages_after(desk, "again", *failed, key=uuid4())
    assert Command.objects.filter(device_name="LAP-1").count() == 3


def test_only_commands_on_hold_are_sent_now(desk: Client, run: Run) -> None:
    held = named(run, Status.QUEUED, "LAP-1", held_at=timezone.now(), reason_code="held_after_pause")
    queued = named(run, Status.QUEUED, "LAP-2")
    assert messages_after(desk, "send-now", held, queued) == [
        "1 command released, sending shortly: LAP-1.",
        "LAP-2 was not released. It isn't on hold.",
    ]
    held.refresh_from_db()
    assert held.held_at is None


def test_too_large_selection_changes_nothing(desk: Client, run: Run) -> None:
    command = named(run, Status.QUEUED, "LAP-1")
    assert messages_after(desk, "withdraw") == ["No commands were selected."]
    too_many = [command.id, *[uuid4() for _ in range(SELECTED_MAX)]]
    desk.post("/commands/act", {"operation": "withdraw", "id": too_many, "back": BACK})
    message = f"Select {SELECTED_MAX} commands at most. You selected {SELECTED_MAX + 1}. Nothing was done."
    assert Page.of(desk.get(BACK)).texts(MESSAGES) == [message]
    command.refresh_from_db()
    assert command.status == Status.QUEUED


@pytest.mark.parametrize(
    "broken", [{"operation": "delete"}, {"operation": ""}, {"id": "x"}, {"key": "x", "operation": "again"}]
)
def test_forged_form_is_refused(desk: Client, run: Run, broken: dict[str, str]) -> None:
    command = named(run, Status.FAILED, "LAP-1")
    assert desk.post("/commands/act", {"operation": "withdraw", "id": str(command.id), **broken}).status_code == 400
    assert Command.objects.count() == 1


def test_one_command_without_the_right_to_run_stops_all_of_them(
    account: Account, run: Run, helpdesk: User, sign_in: SignIn
) -> None:
    """Name a missing right to run, but do not find commands of an account without any right."""
    own, seen, foreign = make_account("Own"), make_account("Seen"), make_account("Foreign")
    make_group("own", account=own, run=True, see=True)
    make_group("seen", account=seen, see=True)
    client = sign_in(make_person("olga", "own", "seen"))
    mine, watched, hidden = (
        make_command(make_run(account, helpdesk), Status.QUEUED) for account in (own, seen, foreign)
    )

    def withdraw(*commands: Any) -> Any:
        return client.post("/commands/act", {"operation": "withdraw", "id": [command.id for command in commands]})

    refused = withdraw(mine, watched)
    assert refused.status_code == 403
    assert "You don't have the right to run commands in Seen." in Page.of(refused).text("main")
    assert withdraw(mine, hidden).status_code == 404
    assert withdraw(mine, Command(id=uuid4())).status_code == 404
    assert set(Command.objects.values_list("status", flat=True)) == {Status.QUEUED}
    assert withdraw(mine).status_code == 303


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example/", "elsewhere", ""])
def test_redirect_leads_only_to_pages_of_the_portal(desk: Client, run: Run, back: str) -> None:
    given = {"operation": "withdraw", "id": str(named(run, Status.QUEUED, "LAP-1").id), "back": back}
    assert desk.post("/commands/act", given)["Location"] == "/"


def test_row_has_the_operations_that_are_possible(desk: Client, run: Run) -> None:
    named(run, Status.FAILED, "LAP-1")
    named(run, Status.PENDING_EXEC, "LAP-2")
    named(run, Status.QUEUED, "LAP-3", held_at=timezone.now())
    for address in ("/", "/history/", f"/runs/{run.id}/"):
        boxes = Page.of(desk.get(address)).select("#rows input[name=id]")
        operations = {box["aria-label"].partition(" on ")[2][:5]: box["data-operations"] for box in boxes}
        assert operations == {"LAP-1": "again", "LAP-2": "", "LAP-3": "withdraw send-now"}, address


def test_viewer_without_the_right_to_run_has_nothing_to_select(run: Run, sign_in: SignIn) -> None:
    named(run, Status.FAILED, "LAP-1")
    client = sign_in(make_person("mona", "manager"))
    for address in ("/", "/history/", f"/runs/{run.id}/"):
        page = Page.of(client.get(address))
        assert "LAP-1" in page.text("#rows")
        assert not page.select("[name=id], form[action='/commands/act']")


@pytest.mark.parametrize("act", ["withdraw", "again", "send-now"])
def test_many_commands_of_a_run_need_at_most_one_query_more_than_few(desk: Client, run: Run, act: str) -> None:
    counts = []
    status = Status.FAILED if act == "again" else Status.QUEUED
    for count in (2, 40):
        commands = [named(run, status, f"LAP-{number}", held_at=timezone.now()) for number in range(count)]
        given = {"operation": act, "id": [command.id for command in commands], "key": uuid4()}
        with CaptureQueriesContext(connection) as captured:
            assert desk.post("/commands/act", given).status_code == 303
        counts.append(len(captured))
    assert counts[1] <= counts[0] + 1


# --- Page of a run


def test_failed_commands_of_a_run_are_run_again_with_one_click(desk: Client, run: Run) -> None:
    for status in (Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.SUCCESS, Status.WITHDRAWN, Status.QUEUED):
        named(run, status, f"LAP-{status}")
    form = Page.of(desk.get(f"/runs/{run.id}/")).one(f"form[action='/runs/{run.id}/again']")
    assert form.text("button") == "Retry 3 failed"
    key = form.one("[name=key]")["value"]
    first, second = (desk.post(f"/runs/{run.id}/again", {"key": key}) for _ in range(2))
    assert first["Location"] == second["Location"] != f"/runs/{run.id}/"
    new = Run.objects.exclude(id=run.id).get()
    assert {command.device_name for command in new.commands.all()} == {"LAP-FAILED", "LAP-rejected", "LAP-expired"}
    assert (new.devices, new.reason, new.ticket) == (3, "slow", "INC-1")
    assert "3 commands run again" in Page.of(desk.get(first["Location"])).texts(MESSAGES)[0]


def test_run_without_failures_has_nothing_to_run_again(desk: Client, run: Run) -> None:
    named(run, Status.SUCCESS, "LAP-1")
    assert not Page.of(desk.get(f"/runs/{run.id}/")).select(".head-operations button")
    answer = desk.post(f"/runs/{run.id}/again")
    assert answer["Location"] == f"/runs/{run.id}/"
    assert Page.of(desk.get(answer["Location"])).text(MESSAGES) == "Nothing left to retry."


def test_rows_of_a_run_are_in_the_order_of_the_request(desk: Client, run: Run) -> None:
    ids = [str(named(run, Status.QUEUED, f"LAP-{number}").id) for number in range(3)]
    assert row_ids(Page.of(desk.get(f"/runs/{run.id}/"))) == ids
