"""Cloudflare's OpenAPI document, read where it lies beside the project, and what recorded exchanges say to it.

The document contradicts itself in places; each is mended in memory, below, with its reason. The file is never copied.
"""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.services.recorder import Exchange

DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "cloudflare" / "openapi.yaml"
type Mend = Callable[[dict[str, Any]], None]

_PREFIX = "digital-experience-monitoring_"


def read() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return found


def _result_is_what_the_operation_says(document: dict[str, Any]) -> None:
    """The shared envelope wants an array or null as `result`, each operation adds by `allOf` (both must hold) that it
    is an object: no answer with a result fits both. The operation's own schema is kept."""
    envelope = document["components"]["schemas"][f"{_PREFIX}api-response-collection"]
    del envelope["allOf"][1]["properties"]["result"]


def _the_account_may_be_named(document: dict[str, Any]) -> None:
    """The account's id is read-only, and at the same time a required part of every address."""
    del document["components"]["schemas"][f"{_PREFIX}account_identifier"]["readOnly"]


def _last_modified_is_what_its_example_shows(document: dict[str, Any]) -> None:
    """The header is declared as a date-time of RFC 3339, with an example in HTTP's own form: HTTP knows only that."""
    path = "/accounts/{account_id}/dex/commands/{command_id}/downloads/{filename}"
    del document["paths"][path]["get"]["responses"]["200"]["headers"]["Last-Modified"]["schema"]["format"]


MENDS = (_result_is_what_the_operation_says, _the_account_may_be_named, _last_modified_is_what_its_example_shows)


def mended(found: dict[str, Any], mends: Sequence[Mend] = MENDS) -> dict[str, Any]:
    """A copy in which what Cloudflare itself sends and takes can be valid at all."""
    document = copy.deepcopy(found)
    for mend in mends:
        mend(document)
    return document


class Judge:
    def __init__(self, document: dict[str, Any]) -> None:
        self._openapi = OpenAPI.from_dict(document)
        self._server = urlsplit(document["servers"][0]["url"])

    def check_request(self, exchange: Exchange) -> None:
        """Raises openapi-core's error where the request does not fit."""
        self._openapi.validate_request(self._request(exchange))

    def check_answer(self, exchange: Exchange) -> None:
        self._openapi.validate_response(self._request(exchange), _answer(exchange))

    def _request(self, exchange: Exchange) -> MockRequest:
        """As if it had gone to the documented server: only the address differs."""
        request = MockRequest(
            f"{self._server.scheme}://{self._server.netloc}",
            exchange.method,
            self._server.path + exchange.path,
            data=exchange.body,
            content_type=exchange.headers.get("Content-Type", ""),
        )
        request.parameters.query = ImmutableMultiDict(exchange.query)
        request.parameters.header = Headers(list(exchange.headers.items()))
        return request


def _answer(exchange: Exchange) -> MockResponse:
    content_type = exchange.answer_headers.get("Content-Type", "")
    return MockResponse(exchange.answer, exchange.status, dict(exchange.answer_headers), content_type)
