"""Plans of queries: each filter has an index, on SQLite and (in the service tests) on PostgreSQL."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.utils import timezone

from commands.access import rights_of
from commands.actions.sending import claim
from commands.models import Command
from commands.queries import commands as rows
from commands.queries import metrics, runs, search
from commands.queries import status as operations
from commands.queries.commands import GROUPS, Filter
from commands.rules.kinds import Kind
from commands.rules.states import Status
from tests.html import Page
from tests.people import make_person
from tests.queries.plans import Plans

COMMANDS = 2000


@pytest.fixture
def past(db: None) -> Command:
    """Create one complete command among 2000."""
    call_command("make_history", commands=COMMANDS, seed=7, stdout=StringIO())
    if connection.vendor == "postgresql":
        # So few rows are read faster than any index; what is asked is whether there is an index that serves.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan TO off")
    return Command.objects.ours().exclude(ticket="").exclude(remote_id="").order_by("id")[COMMANDS // 4]


FILTERS: dict[str, Any] = {
    "none": lambda one: {},
    "person": lambda one: {"email": one.email},
    "nobody": lambda one: {"email": "nobody@example.com", "kind": Kind.PCAP},
    "device": lambda one: {"device_id": one.device_id},
    "device's name": lambda one: {"device_name": one.device_name.lower()},
    "ticket": lambda one: {"ticket": one.ticket.lower()},
    "kind": lambda one: {"kind": Kind.SPEED_TEST},
    "asked by": lambda one: {"requested_by": one.requested_by_id},
    "started elsewhere": lambda one: {"elsewhere": True},
    "asked here": lambda one: {"elsewhere": False},
    "dates": lambda one: {"since": one.requested_at, "until": one.requested_at + timedelta(days=1)},
    "run": lambda one: {"run_id": one.run_id},
    "a status within a run": lambda one: {"run_id": one.run_id, "status": Status.SUCCESS},
    "everything": lambda one: {
        "email": one.email,
        "ticket": one.ticket.lower(),
        "kind": Kind.PCAP,
        "requested_by": one.requested_by_id,
        "status": Status.SUCCESS,
        "since": one.requested_at,
    },
    **{f"status {status}": lambda one, status=status: {"status": status} for status in Status},
    **{f"group {group}": lambda one, group=group: {"group": group} for group in GROUPS},
}


def test_filter_of_a_list_does_not_read_every_command(past: Command) -> None:
    plans, matches = Plans(), {}
    for name, fields in FILTERS.items():
        wanted = Filter(past.account_id, **fields(past))
        with plans.watch():
            matches[name], _ = rows.newest(wanted)
            rows.newest(wanted, before=past.id)
            rows.oldest(wanted, after=past.id)
            rows.count_up_to([wanted])
        assert not plans.full_scans(), name
    assert len(plans.of_queries) == 4 * len(FILTERS)
    assert matches["person"]
    assert matches["everything"]


def test_list_is_read_in_order_without_sorting_every_match(past: Command) -> None:
    """Allow only the sorting of open commands, which are few. The commands of a run have an index of their own."""
    if connection.vendor != "sqlite":
        return
    for name, fields in FILTERS.items():
        plans = Plans()
        with plans.watch():
            rows.newest(Filter(past.account_id, **fields(past)))
        assert ("TEMP B-TREE" in plans.of_queries[0]) == (name == "group open"), (name, plans.of_queries)


def test_filters_agree_with_a_scan_of_all_commands(past: Command) -> None:
    everything = list(Command.objects.filter(account=past.account_id).order_by("-id"))
    for name, fields in FILTERS.items():
        wanted = Filter(past.account_id, **fields(past))
        expected = [command.id for command in everything if _fits(command, wanted)]
        shown, more = rows.newest(wanted)
        assert ([command.id for command in shown], more) == (expected[: rows.ROWS], len(expected) > rows.ROWS), name
        assert [command.id for command in rows.oldest(wanted)[0]] == expected[::-1][: rows.ROWS], name
        assert rows.count_up_to([wanted]) == [min(len(expected), rows.COUNT_STOPS_AT + 1)], name


def _fits(one: Command, wanted: Filter) -> bool:
    checks = (
        (wanted.email, one.email == wanted.email),
        (wanted.device_id, one.device_id == wanted.device_id),
        (wanted.device_name, one.device_name.lower() == wanted.device_name),
        (wanted.ticket, one.ticket.lower() == wanted.ticket),
        (wanted.kind, one.kind == wanted.kind),
        (wanted.status, one.status == wanted.status),
        (wanted.group, one.status in GROUPS.get(wanted.group, ())),
        (wanted.requested_by, one.requested_by_id == wanted.requested_by),
        (wanted.elsewhere is not None, one.started_elsewhere is wanted.elsewhere),
        (wanted.run_id, one.run_id == wanted.run_id),
        (wanted.since, wanted.since is not None and one.requested_at >= wanted.since),
        (wanted.until, wanted.until is not None and one.requested_at < wanted.until),
    )
    return all(fits for asked, fits in checks if asked)


def test_search_and_run_do_not_read_every_command(past: Command) -> None:
    plans, person = Plans(), make_person("mona", "manager")
    with plans.watch():
        for word in (past.email, past.device_name, past.device_id, past.ticket, past.remote_id, str(past.id), "x"):
            assert search.find(person, word) or word == "x", word
        assert past.run_id
        runs.states(past.run_id)
        runs.unsent(past.run_id)
    assert plans.of_queries
    assert not plans.full_scans()


def test_claim_finds_busy_machines_by_the_index_of_commands_in_flight(past: Command) -> None:
    """Find busy machines by an index that does not hold queued commands, however many there are."""
    never_sent = {"status": Status.QUEUED, "dispatch": None, "remote_id": ""}
    Command.objects.filter(id=past.id).update(**never_sent, expires_at=past.requested_at + timedelta(days=9999))
    plans = Plans()
    with plans.watch():
        assert claim.claim(past.account, now=past.requested_at)
    looked = [plan for plan in plans.of_queries if "command_by_queue_position" in plan]
    assert len(looked) == 2
    for plan in looked:
        assert plan.count("command_in_flight") == len(Kind) + 1


def test_results_to_fetch_are_counted_by_their_own_index(past: Command) -> None:
    """Count them at each scrape and on the status page, among all results of the past."""
    plans, now = Plans(), timezone.now()
    with plans.watch():
        metrics.figures(now=now)
        operations.state(rights_of(make_person("ada", "admin")), Q(), now=now)
    counting = [plan.count("artifact_to_fetch") for plan in plans.of_queries if "artifact" in plan]
    assert sorted(counting) == [1, 2, 6]


@pytest.mark.parametrize("word", ["id", "remote_id", "device_id", "email", "ticket"])
def test_search_of_the_admin_does_not_read_every_command(past: Command, client: Client, word: str) -> None:
    client.force_login(make_person("adele", "admin"))
    plans = Plans()
    with plans.watch():
        answer = client.get("/admin/commands/command/", {"q": str(getattr(past, word))})
    assert Page.of(answer).select(f"#result_list a[href*='/{past.id}/change/']")
    assert plans.of_queries
    assert not plans.full_scans()
