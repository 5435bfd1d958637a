"""TERM in the middle of a POST: it is finished and written down, and nothing is sent again by who comes after."""

import json
from pathlib import Path
from urllib.request import Request, urlopen

import psycopg

from tests.polling import eventually
from tests.services.production.asking import ask, devices_of
from tests.services.production.containers import Container
from tests.services.production.portal import Production, ledger, production

WITHIN = 60.0
POST_TAKES = 4  # seconds


def test_a_worker_that_is_told_to_end_finishes_its_post_and_its_record(tmp_path: Path) -> None:
    with production(tmp_path) as portal:
        portal.migrate()
        portal.start()
        helpdesk = portal.person("alex", "helpdesk")
        _slow_posts(portal)
        assert ask(helpdesk, devices_of(portal.simulator, 1)).status_code == 303
        eventually(lambda: "sending" in _statuses(portal) or None, within=WITHIN)
        workers = [one for one in portal.running() if one.service.name == "worker-talk"]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            assert worker.wait(worker.service.grace) == 0, worker.said()
        assert _statuses(portal)[0] in {"PENDING_EXEC", "PENDING_UPLOAD", "SUCCESS"}
        _somebody_comes_after(portal)
        eventually(lambda: _statuses(portal) == ["SUCCESS"] or None, within=WITHIN)
        assert len(ledger(portal.simulator)["commands"]) == 1
        assert len(ledger(portal.simulator)["posts"]) == 1


def _slow_posts(portal: Production) -> None:
    rule = {"match": {"call": "create"}, "effect": {"kind": "latency", "seconds": POST_TAKES, "when": "before"}}
    order = Request(f"{portal.simulator.control_url}/faults", json.dumps({"rules": [rule]}).encode(), method="PUT")
    with urlopen(order, timeout=30) as answer:
        assert answer.status == 200


def _statuses(portal: Production) -> list[str]:
    with psycopg.connect(portal.database_url) as connection:
        return [status for (status,) in connection.execute("SELECT status FROM commands_command").fetchall()]


def _somebody_comes_after(portal: Production) -> None:
    portal.containers.append(Container(portal.services["worker-talk"], portal.host, number=3))
