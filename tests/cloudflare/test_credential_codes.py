"""Codes that name the credential count more than the HTTP status, except for what became of a POST."""

import pytest

from commands.cloudflare.errors import CloudflareError, OutcomeUnknown, Refused, Rejected, ReportedFailure, Throttled
from commands.cloudflare.types import Dialect
from tests.cloudflare.conftest import Connect, Serve
from tests.cloudflare.raw_server import failure, respond
from tests.cloudflare.test_post_outcomes import error_of_post

MALFORMED = {
    "success": False,
    "errors": [
        {
            "code": 6003,
            "message": "Invalid request headers",
            "error_chain": [{"code": 6111, "message": "Invalid format for Authorization header"}],
        }
    ],
    "messages": [],
    "result": None,
}
CODES = (6003, 6100, 6111, 9103, 9106, 9109, 10000, 10001)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_refused_credential_is_no_rejected_command(code: int, status: int, serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(code), status))
    error = error_of_post(connect(upstream, dialect=Dialect.AUTO))
    assert type(error) is Refused
    assert error.names_credential
    assert len(upstream.received) == 1, "no other form of the request can help"


@pytest.mark.parametrize(
    ("status", "kind"), [(200, ReportedFailure), (429, Throttled), (409, OutcomeUnknown), (500, OutcomeUnknown)]
)
def test_code_does_not_decide_what_became_of_a_post(
    status: int, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    error = error_of_post(connect(serve(respond(failure(10000), status))))
    assert type(error) is kind
    assert error.names_credential


@pytest.mark.parametrize("code", [1001, 6099, 6112, 7003])
def test_other_codes_say_nothing_about_the_credential(code: int, serve: Serve, connect: Connect) -> None:
    error = error_of_post(connect(serve(respond(failure(code), 422)), dialect=Dialect.CURRENT))
    assert type(error) is Rejected
    assert not error.names_credential


def test_error_chain_is_shown(serve: Serve, connect: Connect) -> None:
    error = error_of_post(connect(serve(respond(MALFORMED, 400))))
    assert type(error) is Refused
    assert error.remote_message == "Invalid request headers; Invalid format for Authorization header"
    assert error.message == (
        "Cloudflare refused the credential (HTTP 400): Invalid request headers (code 6003): "
        "Invalid format for Authorization header (code 6111)."
    )


@pytest.mark.parametrize("chain", [None, {}, "x", [1], [{}], [{"code": "x", "error_chain": [{"error_chain": []}]}]])
def test_chain_of_another_shape_does_no_harm(chain: object, serve: Serve, connect: Connect) -> None:
    body = failure(6003) | {"errors": [{"code": 6003, "message": "Invalid", "error_chain": chain}]}
    assert type(error_of_post(connect(serve(respond(body, 400))))) is Refused
