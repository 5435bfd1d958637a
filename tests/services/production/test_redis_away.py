"""Redis refuses, or takes connections and never answers: nobody waits for it, and nothing is lost."""

import logging
import re
from pathlib import Path
from time import monotonic

from tests.polling import eventually
from tests.services.production.asking import Device, devices_of, filled_in
from tests.services.production.browser import Person
from tests.services.production.portal import Production, ledger, production

log = logging.getLogger(__name__)  # seen with --log-cli-level=INFO
BROKER_AWAY = "The broker is away."
_TITLE = re.compile(r"<strong>([^<]*)</strong>")
WITHIN = 120.0  # seconds; a worker tries to reach Redis again after 2, 4, 6, … of them


def test_without_redis_the_click_answers_and_the_command_goes_out_once_when_beat_finds_it(tmp_path: Path) -> None:
    with production(tmp_path) as portal:
        portal.migrate()
        portal.start()
        helpdesk = portal.person("alex", "helpdesk")
        refused, unanswered = devices_of(portal.simulator, 2)

        portal.broker.refuse()
        _answers_soon(helpdesk, refused)
        assert "broker" in helpdesk.get("/readyz").json()["degraded"]
        assert _sent(portal) == []
        _is_told(helpdesk, BROKER_AWAY)
        portal.broker.let_through()
        eventually(lambda: _sent(portal) == [refused["deviceId"]] or None, within=WITHIN)
        _is_reached_again(helpdesk)
        _is_told(helpdesk)

        portal.broker.hang()
        _answers_soon(helpdesk, unanswered)
        assert helpdesk.get("/readyz").status_code == 200
        assert _sent(portal) == [refused["deviceId"]]
        portal.broker.let_through()
        both = [refused["deviceId"], unanswered["deviceId"]]
        eventually(lambda: _sent(portal) == both or None, within=WITHIN)


def _answers_soon(helpdesk: Person, device: Device) -> None:
    """The goal is a second; the assertion leaves room for a machine that does other things too."""
    fields = filled_in(helpdesk, [device])
    begun = monotonic()
    answer = helpdesk.post("/", fields)
    took = monotonic() - begun
    assert answer.status_code == 303, answer.text
    log.info("the click on Run answered after %.2f s", took)
    assert took < 3


def _is_told(helpdesk: Person, *titles: str) -> None:
    """Beat says it after a while; until then the workers must not be accused either."""

    def look() -> bool | None:
        text = helpdesk.get("/frame").text
        assert "worker" not in "".join(_TITLE.findall(text)) or not titles, text
        return (_TITLE.findall(text) == list(titles) and (not titles or "Last heard of:" in text)) or None

    eventually(look, within=WITHIN, pause=1)


def _sent(portal: Production) -> list[str]:
    return [row["device_id"] for row in ledger(portal.simulator)["commands"]]


def _is_reached_again(helpdesk: Person) -> None:
    """Each web process leaves Redis alone for a while after a failure: so many answers in a row come from both."""

    def look() -> bool | None:
        answers = [helpdesk.get("/readyz").json()["degraded"] for _ in range(10)]
        return not any("broker" in degraded for degraded in answers) or None

    eventually(look, within=WITHIN)
