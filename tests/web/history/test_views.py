"""History: its filters, its errors, its pages, its polling and its number of queries."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.models import Account, Command, Run, User
from commands.queries.commands import COUNT_STOPS_AT, ROWS
from commands.rules.ids import new_id
from commands.rules.states import Status
from tests.html import Page
from tests.people import make_account, make_group, make_person
from tests.rows import make_command, make_run, trouble
from tests.web.lists import row_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def requester(account: Account) -> User:
    return make_person("hilde", "helpdesk")


@pytest.fixture
def run(account: Account, requester: User) -> Run:
    return make_run(account, requester)


@pytest.fixture
def manager(client: Client) -> User:
    person = make_person("mona", "manager")
    client.force_login(person)
    return person


@pytest.fixture
def oldest(run: Run, manager: User) -> Command:
    """Create a command that differs from `another` in every filtered field."""
    day = timezone.now() - timedelta(days=10)
    return make_command(
        run,
        Status.FAILED,
        id=new_id(day),
        requested_at=day,
        kind="speed-test",
        device_id=str(uuid4()),
        device_name="LAP-0042",
        email="mia@example.com",
        ticket="INC-88",
    )


@pytest.fixture
def another(account: Account, oldest: Command) -> Command:
    values: dict[str, Any] = {"device_name": "MBP-1", "email": "max@example.com", "ticket": "INC-9"}
    return make_command(make_run(account, make_person("otto", "helpdesk")), Status.SUCCESS, **values)


def history(client: Client, **query: str) -> Page:
    answer = client.get("/history/", query)
    assert answer.status_code == 200
    return Page.of(answer)


def listed(client: Client, **query: str) -> list[str]:
    """Return the ids of the listed commands, in order."""
    return row_ids(history(client, **query))


def title_of_empty_list(client: Client, **query: str) -> str:
    return history(client, **query).text("#row-none .none-title")


def ten_days_ago(plus: int = 0) -> str:
    return f"{timezone.now() - timedelta(days=10) + timedelta(days=plus):%Y-%m-%d}"


def filters(oldest: Command) -> Iterator[dict[str, str]]:
    yield {"person": "Mia@example.com "}
    yield {"device": "lap-0042"}
    yield {"device": oldest.device_id.upper()}
    yield {"ticket": "inc-88"}
    yield {"requested_by": "hilde"}
    yield {"requested_by": "Hilde@example.com"}
    yield {"kind": "speed-test"}
    yield {"status": "FAILED"}
    yield {"status": "failed"}
    yield {"until": ten_days_ago(1)}
    yield {"since": ten_days_ago(), "until": ten_days_ago()}
    yield {
        "person": "mia@example.com",
        "kind": "speed-test",
        "status": "failed",
        "requested_by": "hilde",
        "ticket": "INC-88",
    }


def test_every_filter_finds_its_command_and_no_other(client: Client, oldest: Command, another: Command) -> None:
    assert listed(client) == [str(another.id), str(oldest.id)]
    for query in filters(oldest):
        assert listed(client, **query) == [str(oldest.id)], query


def test_day_of_a_filter_is_in_the_time_zone_of_the_viewer(client: Client, run: Run, manager: User) -> None:
    """Find a command by its date in Berlin, where the day begins an hour earlier than in London."""
    at = datetime(2026, 1, 10, 23, 30, tzinfo=UTC)
    late = make_command(run, Status.FAILED, id=new_id(at), requested_at=at)
    day = {"since": "2026-01-11", "until": "2026-01-11"}
    assert listed(client, **day, zone="Europe/Berlin") == [str(late.id)]
    assert history(client, **day, zone="Europe/Berlin").text("[data-zone-name]") == "Europe/Berlin"
    for zone in ("", "UTC", "No/Where", "../../etc/passwd", "x" * 64):
        assert listed(client, **day, zone=zone) == [], zone
    assert listed(client, since="2026-01-10", until="2026-01-10") == [str(late.id)]


def test_time_zone_alone_is_not_a_filter(client: Client, account: Account, manager: User) -> None:
    assert title_of_empty_list(client, zone="Europe/Berlin") == "No commands yet."


def test_only_people_with_the_right_to_run_can_filter_by_me(
    client: Client, account: Account, manager: User, requester: User
) -> None:
    def placeholder() -> str:
        return history(client).one("#id_requested_by")["placeholder"]

    assert "“me”" not in placeholder()
    client.force_login(requester)
    assert "“me”" in placeholder()


def test_filter_separates_commands_started_elsewhere(client: Client, oldest: Command) -> None:
    now = timezone.now()
    values: dict[str, Any] = {"started_elsewhere": True, "kind": "pcap", "device_id": "d", "status": Status.SUCCESS}
    import_ = Command.objects.create(
        id=new_id(now), account=oldest.account, requested_at=now, status_at=now, remote_id="r", **values
    )
    assert listed(client, started="elsewhere") == [str(import_.id)]
    assert listed(client, started="here") == [str(oldest.id)]


def test_me_means_the_viewer(client: Client, run: Run, requester: User) -> None:
    client.force_login(requester)
    mine = make_command(run)
    make_command(make_run(run.account, make_person("otto", "helpdesk")))
    assert listed(client, requested_by="me") == [str(mine.id)]


def test_filter_without_matches_offers_all_commands(client: Client, oldest: Command) -> None:
    row = history(client, person="nobody@example.com").one("#row-none")
    assert row.text(".none-title") == "No commands match these filters."
    assert row.text("a") == "Show all commands"


def test_account_without_commands_has_an_empty_list(client: Client, account: Account, manager: User) -> None:
    assert title_of_empty_list(client) == "No commands yet."


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"person": "LAP-0042"}, "Enter an email (device names go in Device)."),
        ({"requested_by": "nobody"}, "No user with that name or email."),
        ({"kind": "x-ray"}, "Select a valid choice."),
        ({"status": "x"}, "Select a valid choice."),
        ({"since": "31.1.2026"}, "Use YYYY-MM-DD."),
        ({"until": "0001-01-01"}, "Enter a year from 2000 to 2999."),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "“To” is before “From”."),
        ({"ticket": "x" * 65}, "at most 64 characters"),
    ],
)
def test_invalid_filter_has_an_error_at_its_field(
    client: Client, oldest: Command, query: dict[str, str], sentence: str
) -> None:
    page, name = history(client, **query), list(query)[-1]
    assert sentence in page.text(f"#id_{name}_error")
    assert [field["name"] for field in page.select("[aria-invalid=true]")] == [name]
    assert "Fix the highlighted field" in page.text("main > [role=status]")


def test_pages_follow_ids_in_both_directions(client: Client, run: Run, manager: User) -> None:
    now = timezone.now()
    ids = [str(make_command(run, id=new_id(now + timedelta(milliseconds=n))).id) for n in range(ROWS + 3)]
    assert listed(client) == ids[::-1][:ROWS]
    assert listed(client, before=ids[3]) == ids[2::-1]
    assert listed(client, order="oldest") == ids[:ROWS]
    assert listed(client, order="oldest", after=ids[ROWS - 1]) == ids[ROWS:]
    assert f"before={ids[3]}" in history(client).one("[rel=next]")["href"]
    older = history(client, order="oldest", kind="pcap").one("[rel=next]")["href"]
    assert f"after={ids[ROWS - 1]}" in older
    assert "kind=pcap" in older
    assert listed(client, before="nonsense") == ids[::-1][:ROWS]


def test_count_stops_at_a_thousand(client: Client, run: Run, manager: User) -> None:
    now = timezone.now()
    Command.objects.bulk_create(
        Command(
            id=new_id(now),
            account=run.account,
            run=run,
            requested_by=run.requested_by,
            requested_at=now,
            status_at=now,
            status=Status.EXPIRED,
            kind="pcap",
            device_id=f"d{number}",
            email="mia@example.com" if number < 2 else "",
        )
        for number in range(COUNT_STOPS_AT + 5)
    )
    assert history(client).text("#counted") == f"{COUNT_STOPS_AT}+ commands"
    assert history(client, person="mia@example.com").text("#counted") == "2 commands"


@pytest.mark.parametrize("troubled", [False, True])
def test_page_takes_eight_queries_for_any_number_of_rows(
    client: Client, run: Run, manager: User, troubled: bool
) -> None:
    if troubled:
        trouble(run.account, manager)
    counts = []
    for _ in range(2):
        for _ in range(3):
            make_command(run, requested_by=run.requested_by)
        with CaptureQueriesContext(connection) as captured:
            history(client, requested_by="hilde", kind="pcap")
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 8


def test_poll_reads_rows_only_if_its_token_is_old(client: Client, oldest: Command) -> None:
    url = history(client).one("#poll")["hx-get"]
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, headers={"HX-Request": "true"}).status_code == 204
    assert not any('"commands_command"."requested_at"' in query["sql"] for query in captured.captured_queries)
    part = Page.of(client.get("/history/", {"token": "old"}, headers={"HX-Request": "true"}))
    assert row_ids(part) == [str(oldest.id)]
    assert "<html" not in part.html


def test_commands_of_an_account_without_a_right_are_not_listed(
    client: Client, oldest: Command, account: Account
) -> None:
    other = make_account("Other")
    make_group("other", account=other, see=True)
    client.force_login(make_person("ole", "other"))
    assert listed(client) == []
    assert client.get("/history/", {"account": str(account.id)}).status_code == 404
