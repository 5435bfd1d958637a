"""Lists of read-only models: their queries, their order, and their capped row count."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.admin.base import MAX_COUNT
from commands.models import Artifact, Command, Device, Dispatch, Event, Heartbeat, Run
from commands.rules.ids import new_id
from commands.rules.states import Status
from commands.rules.wording.statuses import status_label
from tests.admin.pages import READ_ONLY, model_name, page
from tests.html import Page
from tests.rows import make_artifact, make_command, make_device, make_event, make_run

GROWING: dict[type[Model], Callable[[Command], object]] = {
    Artifact: lambda command: make_artifact(make_command(_run(command))),
    Command: lambda command: make_command(_run(command), Status.SENDING),
    Device: lambda command: make_device(command.account),
    Dispatch: lambda command: make_command(_run(command), Status.SENDING),
    Event: lambda command: make_event(make_command(_run(command))),
    Run: lambda command: make_run(command.account, _run(command).requested_by),
}


def _run(command: Command) -> Run:
    assert command.run is not None
    return command.run


def listed(client: Client, model: type[Model], query: dict[str, str]) -> list[str]:
    """Return the ids of the listed rows."""
    changelist = Page.of(client.get(page(model, "changelist"), query))
    return [link["href"].split("/")[-3] for link in changelist.select("#result_list th a")]


def queries_of(client: Client, model: type[Model]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(page(model, "changelist")).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize("model", READ_ONLY, ids=model_name)
def test_list_takes_few_queries_and_sorts_by_id_only(
    client_of_admin: Client, command: Command, model: type[Model]
) -> None:
    queries = queries_of(client_of_admin, model)
    table = model._meta.db_table
    (rows,) = (sql for sql in queries if f'FROM "{table}"' in sql and "COUNT(" not in sql)
    assert rows.count("ORDER BY") == 1
    assert f'ORDER BY "{table}"."id" DESC' in rows
    assert "," not in rows.split("ORDER BY")[1].split("LIMIT")[0]
    assert len(queries) <= 8


@pytest.mark.parametrize("model", GROWING, ids=model_name)
def test_list_takes_no_more_queries_for_more_rows(
    client_of_admin: Client, command: Command, model: type[Model]
) -> None:
    GROWING[model](command)
    before = len(queries_of(client_of_admin, model))
    for _ in range(5):
        GROWING[model](command)
    assert len(queries_of(client_of_admin, model)) == before


def test_count_of_rows_stops_at_a_thousand(client_of_admin: Client, command: Command) -> None:
    now = timezone.now()
    Device.objects.bulk_create(
        Device(account=command.account, device_id=f"d-{number}", listed_at=now) for number in range(MAX_COUNT + 200)
    )
    counts = [sql for sql in queries_of(client_of_admin, Device) if "COUNT(" in sql]
    assert counts
    assert all(f"LIMIT {MAX_COUNT}" in sql for sql in counts)
    answer = client_of_admin.get(page(Device, "changelist"))
    assert f"{MAX_COUNT}+" in Page.of(answer).text(".paginator")
    assert client_of_admin.get(page(Device, "changelist"), {"p": "20"}).status_code == 200
    assert client_of_admin.get(page(Device, "changelist"), {"all": ""}).status_code in {200, 302}


def test_commands_are_found_by_status_and_by_full_id(client_of_admin: Client, command: Command) -> None:
    other = make_command(_run(command), Status.QUEUED)
    for query in ({"status__exact": Status.QUEUED.value}, {"q": str(other.id)}, {"q": other.device_id}):
        assert listed(client_of_admin, Command, query) == [str(other.id)]


def test_status_has_the_label_of_all_pages_and_models_have_plurals(client_of_admin: Client, command: Command) -> None:
    changelist = Page.of(client_of_admin.get(page(Command, "changelist")))
    for texts in (changelist.texts("#result_list td"), changelist.texts("#changelist-filter a")):
        assert status_label(Status.PENDING_EXEC) in texts
        assert Status.PENDING_EXEC.value not in texts
    assert status_label(Status.SUCCESS) in changelist.texts("#changelist-filter a")
    index = Page.of(client_of_admin.get("/admin/"))
    assert "Dispatches" in index.texts("#content th")
    assert "Django" not in index.html


def test_devices_are_found_by_the_start_of_their_names(client_of_admin: Client, command: Command) -> None:
    known = make_device(command.account, name="LAP-0042", email="maria.lopez@example.com")
    for term, is_listed in {
        "lap-00": True,
        "maria": True,
        "lopez": True,
        known.device_id[:9]: True,
        "0042": False,
    }.items():
        assert (str(known.pk) in listed(client_of_admin, Device, {"q": term})) is is_listed, term


def test_times_have_24_hours_the_day_first_and_the_zone(client_of_admin: Client, command: Command) -> None:
    Heartbeat.objects.update(seen_at=datetime(2026, 12, 7, 21, 13, tzinfo=UTC))
    heartbeats = Page.of(client_of_admin.get(page(Heartbeat, "changelist")))
    assert "7 Dec 2026, 21:13 UTC" in heartbeats.texts("#result_list td")


def test_unknown_id_finds_nothing(client_of_admin: Client, command: Command) -> None:
    assert listed(client_of_admin, Command, {"q": str(new_id(timezone.now()))}) == []
