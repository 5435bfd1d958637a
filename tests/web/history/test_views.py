"""The history: every filter finds its commands and no others, says what it cannot mean, keeps its query budget."""

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
from tests.people import make_account, make_group, make_person
from tests.rows import make_command, make_run, trouble

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make_account()


@pytest.fixture
def asker(account: Account) -> User:
    return make_person("hilde", "helpdesk")


@pytest.fixture
def run(account: Account, asker: User) -> Run:
    return make_run(account, asker)


@pytest.fixture
def manager(client: Client) -> User:
    person = make_person("mona", "manager")
    client.force_login(person)
    return person


@pytest.fixture
def one(run: Run, manager: User) -> Command:
    """Make a command that differs from `another` in every filtered field."""
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
def another(account: Account, one: Command) -> Command:
    values: dict[str, Any] = {"device_name": "MBP-1", "email": "max@example.com", "ticket": "INC-9"}
    return make_command(make_run(account, make_person("otto", "helpdesk")), Status.SUCCESS, **values)


def page(client: Client, **query: str) -> str:
    answer = client.get("/history/", query)
    assert answer.status_code == 200
    return answer.content.decode()


def shown(client: Client, **query: str) -> list[str]:
    """Return the ids of the rows, in order."""
    return [
        part.split('"')[0] for part in page(client, **query).split('<tr id="row-')[1:] if not part.startswith("none")
    ]


def ten_days_ago(plus: int = 0) -> str:
    return f"{timezone.now() - timedelta(days=10) + timedelta(days=plus):%Y-%m-%d}"


def filters(one: Command) -> Iterator[dict[str, str]]:
    yield {"person": "Mia@example.com "}
    yield {"device": "lap-0042"}
    yield {"device": one.device_id.upper()}
    yield {"ticket": "inc-88"}
    yield {"asked": "hilde"}
    yield {"asked": "Hilde@example.com"}
    yield {"kind": "speed-test"}
    yield {"status": "FAILED"}
    yield {"status": "failed"}
    yield {"until": ten_days_ago(1)}
    yield {"since": ten_days_ago(), "until": ten_days_ago()}
    yield {"person": "mia@example.com", "kind": "speed-test", "status": "failed", "asked": "hilde", "ticket": "INC-88"}


def test_every_filter_finds_its_command_and_no_other(client: Client, one: Command, another: Command) -> None:
    assert shown(client) == [str(another.id), str(one.id)]
    for query in filters(one):
        assert shown(client, **query) == [str(one.id)], query


def test_a_day_is_that_of_the_zone_in_which_times_are_shown(client: Client, run: Run, manager: User) -> None:
    """An hour before midnight in London it is the next day already in Berlin."""
    at = datetime(2026, 1, 10, 23, 30, tzinfo=UTC)
    late = make_command(run, Status.FAILED, id=new_id(at), requested_at=at)
    day = {"since": "2026-01-11", "until": "2026-01-11"}
    assert shown(client, **day, zone="Europe/Berlin") == [str(late.id)]
    assert "Europe/Berlin" in page(client, **day, zone="Europe/Berlin")
    for zone in ("", "UTC", "No/Where", "../../etc/passwd", "x" * 64):
        assert shown(client, **day, zone=zone) == [], zone
    assert shown(client, since="2026-01-10", until="2026-01-10") == [str(late.id)]


def test_the_zone_alone_is_no_filter(client: Client, account: Account, manager: User) -> None:
    assert "No command yet." in page(client, zone="Europe/Berlin")


def test_who_may_not_ask_is_not_offered_me(client: Client, account: Account, manager: User, asker: User) -> None:
    assert "“me”" not in page(client)
    client.force_login(asker)
    assert "“me”" in page(client)


def test_what_was_started_elsewhere_is_told_from_what_was_asked_here(client: Client, one: Command) -> None:
    now = timezone.now()
    values: dict[str, Any] = {"started_elsewhere": True, "kind": "pcap", "device_id": "d", "status": Status.SUCCESS}
    import_ = Command.objects.create(
        id=new_id(now), account=one.account, requested_at=now, status_at=now, remote_id="r", **values
    )
    assert shown(client, started="elsewhere") == [str(import_.id)]
    assert shown(client, started="here") == [str(one.id)]


def test_me_is_who_looks(client: Client, run: Run, asker: User) -> None:
    client.force_login(asker)
    mine = make_command(run)
    make_command(make_run(run.account, make_person("otto", "helpdesk")))
    assert shown(client, asked="me") == [str(mine.id)]


def test_a_filter_that_matches_nothing_says_so(client: Client, one: Command) -> None:
    words = page(client, person="nobody@example.com")
    assert "No commands match these filters." in words
    assert "Show all commands" in words


def test_an_account_without_commands_says_so(client: Client, account: Account, manager: User) -> None:
    assert "No command yet." in page(client)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"person": "LAP-0042"}, "An email address has an @."),
        ({"asked": "nobody"}, "Nobody signs in here with this name or email."),
        ({"kind": "x-ray"}, "Select a valid choice."),
        ({"status": "x"}, "Select a valid choice."),
        ({"since": "31.1.2026"}, "A day is written as 2026-01-31."),
        ({"until": "0001-01-01"}, "A year from 2000 to 2999."),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "This day is before the first one."),
        ({"ticket": "x" * 65}, "at most 64 characters"),
    ],
)
def test_what_cannot_be_meant_gets_a_sentence_at_its_field_and_nothing_typed_is_lost(
    client: Client, one: Command, query: dict[str, str], sentence: str
) -> None:
    words = page(client, **query)
    assert sentence in words
    assert 'aria-invalid="true"' in words
    assert f'id="id_{list(query)[-1]}_error"' in words
    assert "Fix the highlighted field" in words


def test_pages_go_by_id_in_both_directions(client: Client, run: Run, manager: User) -> None:
    now = timezone.now()
    ids = [str(make_command(run, id=new_id(now + timedelta(milliseconds=n))).id) for n in range(ROWS + 3)]
    assert shown(client) == ids[::-1][:ROWS]
    assert shown(client, before=ids[3]) == ids[2::-1]
    assert shown(client, order="oldest") == ids[:ROWS]
    assert shown(client, order="oldest", after=ids[ROWS - 1]) == ids[ROWS:]
    assert f"before={ids[3]}" in page(client)
    assert f"after={ids[ROWS - 1]}" in page(client, order="oldest", kind="pcap")
    assert "kind=pcap" in page(client, order="oldest", kind="pcap").split('rel="next"')[0].rsplit("href", 1)[1]
    assert shown(client, before="nonsense") == ids[::-1][:ROWS]


def test_what_is_counted_stops_at_a_thousand(client: Client, run: Run, manager: User) -> None:
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
    assert f"{COUNT_STOPS_AT}+ commands" in page(client)
    assert "2 commands" in page(client, person="mia@example.com")


@pytest.mark.parametrize("troubled", [False, True])
def test_the_page_takes_eight_queries_however_many_rows_it_has(
    client: Client, run: Run, manager: User, troubled: bool
) -> None:
    if troubled:
        trouble(run.account, manager)
    counts = []
    for _ in range(2):
        for _ in range(3):
            make_command(run, requested_by=run.requested_by)
        with CaptureQueriesContext(connection) as captured:
            page(client, asked="hilde", kind="pcap")
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 8


def test_a_poll_with_the_current_token_reads_no_row_and_one_with_an_old_token_brings_the_rows(
    client: Client, one: Command
) -> None:
    url = page(client).split('hx-get="/history/')[1].split('"')[0].replace("&amp;", "&")
    with CaptureQueriesContext(connection) as captured:
        assert client.get(f"/history/{url}", headers={"HX-Request": "true"}).status_code == 204
    assert not any('"commands_command"."requested_at"' in query["sql"] for query in captured.captured_queries)
    words = client.get("/history/", {"token": "old"}, headers={"HX-Request": "true"}).content.decode()
    assert f'<tr id="row-{one.id}"' in words
    assert "<html" not in words


def test_commands_of_an_account_without_a_right_are_in_no_list(client: Client, one: Command, account: Account) -> None:
    other = make_account("Other")
    make_group("other", account=other, see=True)
    client.force_login(make_person("ole", "other"))
    assert shown(client) == []
    assert client.get("/history/", {"account": str(account.id)}).status_code == 404
