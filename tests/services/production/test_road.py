"""The main road on docker-compose.yml's own services: from the sign-in page to the file, and a clean end."""

import hashlib
import json
import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from tests.polling import eventually
from tests.services.production.asking import Device, ask, devices_of
from tests.services.production.containers import Container
from tests.services.production.portal import Production, ledger, production
from tests.simulator_process import SimulatorProcess

WITHIN = 120.0  # seconds: beat looks every 5, and the machine may be busy


def test_twelve_captures_and_three_diags_go_all_the_way_in_the_fewest_posts_and_term_ends_everything_clean(
    tmp_path: Path,
) -> None:
    with production(tmp_path) as portal:
        said = portal.migrate()
        assert "Account: Cloudflare" in said
        assert "System check identified no issues" in said
        portal.start()
        helpdesk = portal.person("alex", "helpdesk")
        devices = devices_of(portal.simulator, 15)
        _are_listed(portal, devices)  # what Cloudflare has not listed yet travels alone
        for some, kind in ((devices[:12], "pcap"), (devices[12:], "warp-diag")):
            answer = ask(helpdesk, some, kind)
            assert answer.status_code == 303, f"{answer.status_code} {answer.headers} {answer.text}"
        ids = set(re.findall(r"/commands/([0-9a-f-]{36})/", helpdesk.get("/").text))
        assert len(ids) == 15
        files = {
            id_: eventually(lambda id_=id_: _downloaded(helpdesk.get(f"/commands/{id_}/download")), within=WITHIN)  # type: ignore[misc]
            for id_ in ids
        }
        _is_on_record_as_it_came(portal, files)
        _ledger_and_record_are_one(portal, devices)
        # The first signs of life are due 10 seconds after the start, which the road may have outrun.
        well = {"status": "ok", "degraded": []}
        eventually(lambda: helpdesk.get("/readyz").json() == well or None, within=WITHIN)
        _everything_is_well(portal)
        _ends_clean(portal)


def _are_listed(portal: Production, devices: list[Device]) -> None:
    wanted = {device["deviceId"] for device in devices}

    def look() -> bool | None:
        with psycopg.connect(portal.database_url) as connection:
            known = connection.execute("SELECT device_id FROM commands_device").fetchall()
        return wanted <= {device_id for (device_id,) in known} or None

    eventually(look, within=WITHIN)


def _ledger_and_record_are_one(portal: Production, devices: list[Device]) -> None:
    """The fewest POSTs that the rules allow: ten captures, two captures, three diags; and each command by its id."""
    told = ledger(portal.simulator)
    assert sorted(len(post["items"]) for post in told["posts"]) == [2, 3, 10]
    kinds = {device["deviceId"]: "pcap" if place < 12 else "warp-diag" for place, device in enumerate(devices)}
    made = {(one["id"], one["device_id"], one["kind"], one["status"]) for one in told["commands"]}
    assert sorted((device_id, kind) for _, device_id, kind, _ in made) == sorted(kinds.items())
    with psycopg.connect(portal.database_url) as connection:
        found = "SELECT remote_id, device_id, kind, status FROM commands_command"
        assert set(connection.execute(found).fetchall()) == made
        bodies = [body["commands"] for (body,) in connection.execute("SELECT body FROM commands_dispatch").fetchall()]
    assert _in_order(bodies) == _in_order(post["items"] for post in told["posts"])


def _in_order(bodies: Iterable[Any]) -> list[str]:
    """PostgreSQL keeps no order of keys."""
    return sorted(json.dumps(body, sort_keys=True) for body in bodies)


def _downloaded(answer: Any) -> bytes | None:
    if answer.status_code == 404:
        return None
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    content: bytes = answer.content
    return content


def _is_on_record_as_it_came(portal: Production, files: dict[str, bytes]) -> None:
    """The hash on record is that of the file that the person got and of the one that Cloudflare has."""
    with psycopg.connect(portal.database_url) as connection:
        rows = connection.execute(
            "SELECT c.id, c.remote_id, c.status, a.sha256 FROM commands_command c"
            " JOIN commands_artifact a ON a.command_id = c.id"
        ).fetchall()
    assert {str(row[0]) for row in rows} == set(files)
    for id_, remote_id, status, sha256 in rows:
        assert status == "SUCCESS"
        assert hashlib.sha256(files[str(id_)]).hexdigest() == sha256
        assert hashlib.sha256(_at_cloudflare(portal.simulator, remote_id)).hexdigest() == sha256


def _at_cloudflare(simulator: SimulatorProcess, remote_id: str) -> bytes:
    address = f"{simulator.base_url}/accounts/{simulator.account_id}/dex/commands/{remote_id}/downloads/{remote_id}.zip"
    with urlopen(Request(address, headers={"Authorization": f"Bearer {simulator.token}"}), timeout=30) as answer:
        content: bytes = answer.read()
    return content


def _everything_is_well(portal: Production) -> None:
    for container in portal.running():
        assert container.is_healthy(), container.said()
    for name in ("beat-1", "worker-talk-1"):
        _whoever_stands_still_is_unhealthy(next(one for one in portal.running() if one.name == name))


def _whoever_stands_still_is_unhealthy(container: Container) -> None:
    alive = Path(container.environment["ALIVE_FILE"])
    container.process.send_signal(signal.SIGSTOP)
    os.utime(alive, times=(0, 0))
    assert not container.is_healthy()
    container.process.send_signal(signal.SIGCONT)
    eventually(lambda: container.is_healthy() or None, within=WITHIN)


def _ends_clean(portal: Production) -> None:
    """The front door first, as Compose does: nobody depends on the web process."""
    running = portal.running()
    assert len(running) == 6
    for container in running:
        container.stop()
        assert container.process.returncode == 0, container.said()
        assert "Traceback" not in container.said(), container.said()
