"""Log lines: no secret in any of them, and the id of the request or task in each."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from django.test import Client

from commands import redaction
from dexportal import logs

SECRET = 'pa"ss/wo rd-é'


class Lines:
    """Lines that a log handler writes during the test."""

    def __init__(self, *, as_json: bool) -> None:
        self.stream = io.StringIO()
        config = logs.configure(as_json=as_json, level="INFO", secrets=[SECRET])
        formatter = dict(config["formatters"]["lines"])
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(formatter.pop("()")(**formatter))

    def text(self) -> str:
        return self.stream.getvalue()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture(params=[True, False], ids=["json", "terminal"])
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    yield from _captured(Lines(as_json=request.param))


@pytest.fixture
def json_lines() -> Iterator[Lines]:
    yield from _captured(Lines(as_json=True))


def _captured(lines: Lines) -> Iterator[Lines]:
    root = logging.getLogger()
    root.addHandler(lines.handler)
    yield lines
    root.removeHandler(lines.handler)


def test_known_secret_is_hidden_in_messages_fields_and_tracebacks(lines: Lines) -> None:
    log = structlog.get_logger("tests")
    log.warning(f"said {SECRET}", field=SECRET, nested={"deep": [SECRET]}, address=f"x://h/?q={quote(SECRET, safe='')}")
    logging.getLogger("foreign").error("refused %s", SECRET)
    try:
        raise ValueError(f"Cloudflare does not like {SECRET}")
    except ValueError:
        log.exception("failed")
        logging.getLogger("foreign").exception("failed too")
    text = lines.text()
    assert text.count(redaction.HIDDEN) >= 6
    assert "ValueError" in text
    for form in (SECRET, json.dumps(SECRET)[1:-1], quote(SECRET, safe=""), "wo rd"):
        assert form not in text


def test_secret_added_later_is_hidden_from_then_on(lines: Lines) -> None:
    redaction.hide("a-token-out-of-the-database")
    structlog.get_logger("tests").warning("called with a-token-out-of-the-database")
    assert "out-of-the-database" not in lines.text()


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef-0123456789",
        "{'X-Auth-Key': 'abcdef-0123456789'}",
        "postgres://dex:abcdef-0123456789@db/dex",
        'token="abcdef-0123456789"',
        "GET /accounts/password/reset/key/1-abcdef-0123456789/",
    ],
)
def test_unknown_value_with_the_shape_of_a_secret_is_hidden(text: str, lines: Lines) -> None:
    logging.getLogger("foreign").warning("seen: %s", text)
    assert "0123456789" not in lines.text()
    assert "seen: " in lines.text()


@pytest.mark.parametrize("name", ["password", "api_token", "Authorization", "credential_keys", "cookies"])
def test_field_with_the_name_of_a_secret_is_hidden(name: str, json_lines: Lines) -> None:
    structlog.get_logger("tests").warning("event", **{name: "1234"})
    assert json_lines.events()[0][name] == redaction.HIDDEN


def test_other_text_is_not_hidden(json_lines: Lines) -> None:
    structlog.get_logger("tests").warning("sent", task="deliver", device="laptop-7", count=3)
    [event] = json_lines.events()
    assert (event["event"], event["task"], event["device"], event["count"]) == ("sent", "deliver", "laptop-7", 3)
    assert (event["level"], event["logger"]) == ("warning", "tests")


def test_lines_of_a_request_have_its_id_and_no_query_string(client: Client, json_lines: Lines) -> None:
    client.get("/healthz", {"email": "ada@example.com"})
    [event] = [event for event in json_lines.events() if event["event"] == "request_finished"]
    assert event["request_id"]
    assert (event["request"], event["code"]) == ("GET /healthz", 200)
    assert "ada@example.com" not in json_lines.text()
