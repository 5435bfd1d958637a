"""Replies with pages of a listing, and the query that the client sent for a page."""

from urllib.parse import parse_qs, urlsplit

from tests.cloudflare.raw_server import RawServer, Reply, respond, success

DATE = {"Date": "Sun, 22 Nov 2026 06:00:00 GMT"}
EMPTY = respond(success({"commands": []}))


def commands(*ids: str) -> Reply:
    return respond(
        success({"commands": [{"id": id_} for id_ in ids], "result_info": {"total_count": 999}}), headers=DATE
    )


def query(upstream: RawServer, index: int = -1) -> dict[str, list[str]]:
    return parse_qs(urlsplit(upstream.received[index].target).query)
