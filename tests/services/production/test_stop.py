"""SIGTERM during a POST: the worker completes and records it, and the next worker sends nothing again."""

import json
from pathlib import Path
from urllib.request import Request, urlopen

import psycopg

from tests.polling import MAX_WAIT, eventually
from tests.services.production.containers import Container
from tests.services.production.desk_form import find_devices, submit_run
from tests.services.production.portal import ProductionPortal, ledger, production_portal

POST_SECONDS = 4


def test_worker_finishes_its_post_and_record_after_sigterm(tmp_path: Path) -> None:
    with production_portal(tmp_path) as portal:
        portal.migrate()
        portal.start()
        helpdesk = portal.sign_in_as("alex", "helpdesk")
        _slow_posts(portal)
        assert submit_run(helpdesk, find_devices(portal.simulator, 1)).status_code == 303
        eventually(lambda: "sending" in _statuses(portal) or None)
        workers = [container for container in portal.running() if container.service.name == "worker-talk"]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            assert worker.wait(MAX_WAIT) == 0, worker.output()
        assert _statuses(portal)[0] in {"PENDING_EXEC", "PENDING_UPLOAD", "SUCCESS"}
        _start_another_worker(portal)
        eventually(lambda: _statuses(portal) == ["SUCCESS"] or None)
        assert len(ledger(portal.simulator)["commands"]) == 1
        assert len(ledger(portal.simulator)["posts"]) == 1


def _slow_posts(portal: ProductionPortal) -> None:
    rule = {"match": {"call": "create"}, "effect": {"kind": "latency", "seconds": POST_SECONDS, "when": "before"}}
    request = Request(f"{portal.simulator.control_url}/faults", json.dumps({"rules": [rule]}).encode(), method="PUT")
    with urlopen(request, timeout=MAX_WAIT) as response:
        assert response.status == 200


def _statuses(portal: ProductionPortal) -> list[str]:
    with psycopg.connect(portal.database_url) as connection:
        return [status for (status,) in connection.execute("SELECT status FROM commands_command").fetchall()]


def _start_another_worker(portal: ProductionPortal) -> None:
    portal.containers.append(Container(portal.services["worker-talk"], portal.host, number=3))
