"""Redis refuses, or takes connections and never answers: nobody waits for it, and nothing is lost."""

import logging
import re
from pathlib import Path
from statistics import median
from time import monotonic

from tests.polling import eventually
from tests.services.production.asking import Device, devices_of, filled_in
from tests.services.production.browser import Person
from tests.services.production.portal import Production, ledger, production

log = logging.getLogger(__name__)  # seen with --log-cli-level=INFO
BROKER_AWAY = "The broker is away."
_TITLE = re.compile(r"<strong>([^<]*)</strong>")
CLICKS = 5
TIME_OUTS = 2 * 0.5  # seconds: WAKE_TIMEOUT, for the connection and again for an answer
WITHIN = 120.0  # seconds; a worker tries to reach Redis again after 2, 4, 6, … of them


def test_without_redis_the_click_answers_and_the_command_goes_out_once_when_beat_finds_it(tmp_path: Path) -> None:
    with production(tmp_path) as portal:
        portal.migrate()
        portal.start()
        helpdesk = portal.person("alex", "helpdesk")
        devices = devices_of(portal.simulator, 3 * CLICKS)
        usual, refused, unanswered = (devices[start::3] for start in range(3))
        as_usual = _clicks(helpdesk, usual)
        eventually(lambda: _sent(portal) == _ids(usual) or None, within=WITHIN)
        eventually(lambda: _nothing_is_sent_now(portal) or None, within=WITHIN)

        portal.broker.refuse()
        _answer_nearly_as_soon(_clicks(helpdesk, refused), as_usual)
        assert "broker" in helpdesk.get("/readyz").json()["degraded"]
        assert _sent(portal) == _ids(usual)
        _is_told(helpdesk, BROKER_AWAY)
        portal.broker.let_through()
        eventually(lambda: _sent(portal) == _ids(usual + refused) or None, within=WITHIN)
        _is_reached_again(helpdesk)
        _is_told(helpdesk)
        eventually(lambda: _nothing_is_sent_now(portal) or None, within=WITHIN)

        portal.broker.hang()
        _answer_nearly_as_soon(_clicks(helpdesk, unanswered), as_usual)
        assert helpdesk.get("/readyz").status_code == 200
        assert _sent(portal) == _ids(usual + refused)
        portal.broker.let_through()
        eventually(lambda: _sent(portal) == _ids(devices) or None, within=WITHIN)


def _clicks(helpdesk: Person, devices: list[Device]) -> list[float]:
    """One on Run for each device; the seconds until it was answered."""
    took = []
    for device in devices:
        fields = filled_in(helpdesk, [device])
        begun = monotonic()
        answer = helpdesk.post("/", fields)
        took.append(monotonic() - begun)
        assert answer.status_code == 303, answer.text
    return took


def _answer_nearly_as_soon(took: list[float], as_usual: list[float]) -> None:
    """A click may wait for the broker's two time-outs, and no longer. Of several, for the machine does other things."""
    log.info("clicks on Run answered after %s s, as usual after %s s", took, as_usual)
    assert median(took) < 2 * median(as_usual) + TIME_OUTS


def _ids(devices: list[Device]) -> list[str]:
    return sorted(device["deviceId"] for device in devices)


def _is_told(helpdesk: Person, *titles: str) -> None:
    """Beat says it after a while; until then the workers must not be accused either."""

    def look() -> bool | None:
        text = helpdesk.get("/frame").text
        assert "worker" not in "".join(_TITLE.findall(text)) or not titles, text
        return (_TITLE.findall(text) == list(titles) and (not titles or "Last heard of:" in text)) or None

    eventually(look, within=WITHIN, pause=1)


def _sent(portal: Production) -> list[str]:
    return sorted(row["device_id"] for row in ledger(portal.simulator)["commands"])


def _nothing_is_sent_now(portal: Production) -> bool:
    """Else the worker that records the last POST goes on with what is asked for meanwhile, and needs no broker."""
    look = (
        'from commands.models import Command; print(Command.objects.filter(status__in=["queued", "sending"]).count())'
    )
    return portal.manage("shell", "--no-imports", "-c", look).split()[-1] == "0"


def _is_reached_again(helpdesk: Person) -> None:
    """Each web process leaves Redis alone for a while after a failure: so many answers in a row come from both."""

    def look() -> bool | None:
        answers = [helpdesk.get("/readyz").json()["degraded"] for _ in range(10)]
        return not any("broker" in degraded for degraded in answers) or None

    eventually(look, within=WITHIN)
