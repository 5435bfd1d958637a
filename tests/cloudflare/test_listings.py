"""Listings of commands and devices: rows, filters, and the end of a listing."""

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlsplit

import pytest

from commands.cloudflare.errors import TooManyPages
from commands.cloudflare.types import Call, ListedDevice
from commands.rules.listed_command import ListedCommand
from tests.cloudflare.conftest import ACCOUNT, LIMITS, Connect, Serve
from tests.cloudflare.listing_replies import DATE, EMPTY, commands, query
from tests.cloudflare.raw_server import Reply, respond, success


def test_row_becomes_a_listed_command(serve: Serve, connect: Connect) -> None:
    row: dict[str, object] = {
        "id": "C1",
        "type": "pcap",
        "status": "SUCCESS",
        "device_id": "D1",
        "registration_id": None,
        "user_email": " Ann@Example.com ",
        "created_date": "2026-11-22T05:00:00.5Z",
        "completed_date": "2026-11-22 05:06:00+00",
        "filename": "https://files.example.org/a/C1.zip?sig=1",
        "unknown_field": [],
    }
    page = connect(serve(respond(success({"commands": [row, {}, 7]}), headers=DATE))).list_commands(1)
    assert page.rows == (
        ListedCommand(
            id="c1",
            kind="pcap",
            status="SUCCESS",
            device_id="d1",
            registration_id="",
            user_email="ann@example.com",
            created_date=datetime(2026, 11, 22, 5, 0, 0, 500_000, tzinfo=UTC),
            completed_date=datetime(2026, 11, 22, 5, 6, tzinfo=UTC),
            filename="C1.zip",
        ),
        ListedCommand("", "", "", "", "", "", None, None, ""),
    )
    assert (page.short, page.unreadable) == (True, 1)
    assert page.date == datetime(2026, 11, 22, 6, tzinfo=UTC)


def test_filters_become_query_parameters_of_the_api(serve: Serve, connect: Connect) -> None:
    upstream = serve(EMPTY)
    zone = timezone(timedelta(hours=2))
    connect(upstream).list_commands(
        3,
        20,
        from_=datetime(2026, 11, 22, 8, 0, 0, 900_000, tzinfo=zone),
        to=datetime(2026, 11, 22, 8, 0, 0, 100_000, tzinfo=zone),
        device_id="d1",
        user_email="ann+x@example.com",
        kind="pcap",
        status="FAILED",
    )
    assert urlsplit(upstream.received[0].target).path == f"/client/v4/accounts/{ACCOUNT}/dex/commands"
    assert query(upstream) == {
        "page": ["3"],
        "per_page": ["20"],
        "from": ["2026-11-22T06:00:00Z"],
        "to": ["2026-11-22T06:00:01Z"],
        "device_id": ["d1"],
        "user_email": ["ann+x@example.com"],
        "command_type": ["pcap"],
        "status": ["FAILED"],
    }
    connect(upstream).list_commands(1)
    assert query(upstream) == {"page": ["1"], "per_page": ["50"]}


@pytest.mark.parametrize(("page", "per_page"), [(0, 50), (1, 0), (1, 51)])
def test_page_number_out_of_range_is_a_value_error(page: int, per_page: int, serve: Serve, connect: Connect) -> None:
    with pytest.raises(ValueError, match="page"):
        connect(serve(EMPTY)).list_commands(page, per_page)


def test_time_without_a_zone_is_a_value_error(serve: Serve, connect: Connect) -> None:
    with pytest.raises(ValueError, match="zone"):
        connect(serve(EMPTY)).list_commands(1, from_=datetime(2026, 11, 22))  # noqa: DTZ001 - the missing zone is tested


def test_listing_ends_with_a_short_page(serve: Serve, connect: Connect) -> None:
    calls: list[Call] = []
    upstream = serve(commands("a", "b"), commands("b", "c"), commands("d"), commands("never", "requested"))
    pages = list(connect(upstream, permit=calls.append).iter_commands(per_page=2))
    assert [[row.id for row in page.rows] for page in pages] == [["a", "b"], ["b", "c"], ["d"]]
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.short for page in pages] == [False, False, True]
    assert [query(upstream, index)["page"] for index in range(3)] == [["1"], ["2"], ["3"]]
    assert calls == [Call.LIST] * 3


def test_listing_ends_with_an_empty_page(serve: Serve, connect: Connect) -> None:
    pages = list(connect(serve(commands("a", "b"), commands())).iter_commands(per_page=2))
    assert [len(page.rows) for page in pages] == [2, 0]


def test_two_repeated_pages_end_the_listing(serve: Serve, connect: Connect) -> None:
    again = commands("b", "a")
    upstream = serve(commands("a", "b"), commands("c", "d"), again, again, commands("never", "requested"))
    assert len(list(connect(upstream).iter_commands(per_page=2))) == 3
    assert len(upstream.received) == 4


def test_one_repeated_page_does_not_end_the_listing(serve: Serve, connect: Connect) -> None:
    upstream = serve(commands("a", "b"), commands("a", "b"), commands("c", "d"), commands("e"))
    pages = list(connect(upstream).iter_commands(per_page=2))
    assert [row.id for row in pages[-1].rows] == ["e"]


def test_endless_listing_stops_at_max_pages(serve: Serve, connect: Connect) -> None:
    upstream = serve(*(commands(f"a{n}", f"b{n}") for n in range(9)))
    pages = connect(upstream).iter_commands(per_page=2)
    found = [next(pages) for _ in range(LIMITS.max_pages)]
    assert len(found) == LIMITS.max_pages
    with pytest.raises(TooManyPages):
        next(pages)
    assert len(upstream.received) == LIMITS.max_pages


def test_row_becomes_a_listed_device(serve: Serve, connect: Connect) -> None:
    row = {
        "deviceId": "D1",
        "deviceName": "ann's laptop",
        "eligible": False,
        "ineligibleReason": "version",
        "personEmail": "Ann@Example.com",
        "platform": "Windows",
        "registrationId": "R1",
        "status": "connected",
        "timestamp": "2023-10-11 00:00:00+00",
        "version": "2024.12.492.0",
    }
    upstream = serve(respond(success({"devices": [row, {"eligible": "yes", "deviceName": 7}]}), headers=DATE))
    page = connect(upstream).list_devices(1, search="ann")
    assert page.rows == (
        ListedDevice(
            device_id="d1",
            registration_id="r1",
            user_email="ann@example.com",
            name="ann's laptop",
            platform="windows",
            version="2024.12.492.0",
            status="connected",
            eligible=False,
            ineligible_reason="version",
            seen_at=datetime(2023, 10, 11, tzinfo=UTC),
        ),
        ListedDevice("", "", "", "7", "", "", "", None, "", None),
    )
    assert urlsplit(upstream.received[0].target).path.endswith("/dex/commands/devices")
    assert query(upstream)["search"] == ["ann"]


def test_registrations_of_one_device_are_different_rows(serve: Serve, connect: Connect) -> None:
    def devices(*registrations: str) -> Reply:
        return respond(success({"devices": [{"deviceId": "d", "registrationId": id_} for id_ in registrations]}))

    pages = list(connect(serve(devices("r1", "r2"), devices("r3"))).iter_devices(per_page=2))
    assert [row.registration_id for page in pages for row in page.rows] == ["r1", "r2", "r3"]
