"""Cloudflare's OpenAPI document, read from beside the project, and validation of recorded exchanges against it.

The document contradicts itself in places. Each correction below is made in memory, with its reason. The file is never
copied.
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
type Correction = Callable[[dict[str, Any]], None]

_PREFIX = "digital-experience-monitoring_"


def read() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return document


def _keep_result_schema_of_operation(document: dict[str, Any]) -> None:
    """Delete the `result` of the shared envelope.

    The envelope requires an array or null. Each operation adds by `allOf` that `result` is an object, so that no
    response with a result could match both.
    """
    envelope = document["components"]["schemas"][f"{_PREFIX}api-response-collection"]
    del envelope["allOf"][1]["properties"]["result"]


def _allow_account_id_in_path(document: dict[str, Any]) -> None:
    """Allow the account's id, which is read-only and at the same time a required part of every address."""
    del document["components"]["schemas"][f"{_PREFIX}account_identifier"]["readOnly"]


def _allow_http_date_in_last_modified(document: dict[str, Any]) -> None:
    """Delete the format of the header: it is an RFC 3339 date-time, but HTTP and its own example use an HTTP date."""
    path = "/accounts/{account_id}/dex/commands/{command_id}/downloads/{filename}"
    del document["paths"][path]["get"]["responses"]["200"]["headers"]["Last-Modified"]["schema"]["format"]


CORRECTIONS = (_keep_result_schema_of_operation, _allow_account_id_in_path, _allow_http_date_in_last_modified)


def corrected(original: dict[str, Any], corrections: Sequence[Correction] = CORRECTIONS) -> dict[str, Any]:
    """Return a copy of the document that accepts the requests and responses of Cloudflare itself."""
    document = copy.deepcopy(original)
    for correction in corrections:
        correction(document)
    return document


class Validator:
    def __init__(self, document: dict[str, Any]) -> None:
        self._openapi = OpenAPI.from_dict(document)
        self._server = urlsplit(document["servers"][0]["url"])

    def check_request(self, exchange: Exchange) -> None:
        """Raise the error of openapi-core if the request does not match."""
        self._openapi.validate_request(self._request(exchange))

    def check_response(self, exchange: Exchange) -> None:
        self._openapi.validate_response(self._request(exchange), _response(exchange))

    def _request(self, exchange: Exchange) -> MockRequest:
        """Return the request as if it had gone to the documented server: only the address differs."""
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


def _response(exchange: Exchange) -> MockResponse:
    content_type = exchange.response_headers.get("Content-Type", "")
    return MockResponse(exchange.response, exchange.status, dict(exchange.response_headers), content_type)
