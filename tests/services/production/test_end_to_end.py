"""Main path on the services of docker-compose.yml: from the sign-in page to the file, and a clean stop."""

import hashlib
import json
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from tests.html import Page
from tests.polling import MAX_WAIT, eventually
from tests.services.production.containers import Container
from tests.services.production.desk_form import Device, find_devices, submit_run
from tests.services.production.portal import ProductionPortal, ledger, production_portal
from tests.simulator_process import SimulatorProcess
from tests.web.lists import row_ids


def test_fifteen_commands_complete_in_the_fewest_posts_and_services_stop_cleanly(
    tmp_path: Path,
) -> None:
    with production_portal(tmp_path) as portal:
        output = portal.migrate()
        assert "Account: Cloudflare" in output
        assert "System check identified no issues" in output
        portal.start()
        helpdesk = portal.sign_in_as("alex", "helpdesk")
        devices = find_devices(portal.simulator, 15)
        _wait_until_listed(portal, devices)  # devices that Cloudflare has not listed yet are sent alone
        for targets, kind in ((devices[:12], "pcap"), (devices[12:], "warp-diag")):
            response = submit_run(helpdesk, targets, kind)
            assert response.status_code == 303, f"{response.status_code} {response.headers} {response.text}"
        ids = set(row_ids(Page.parse(helpdesk.get("/").text)))
        assert len(ids) == 15
        files = {
            id_: eventually(lambda id_=id_: _downloaded_file(helpdesk.get(f"/commands/{id_}/download")))  # type: ignore[misc]
            for id_ in ids
        }
        _compare_hashes(portal, files)
        _compare_ledger_and_record(portal, devices)
        # The first heartbeats are due 10 seconds after the start, possibly later than the last download.
        healthy = {"status": "ok", "degraded": []}
        eventually(lambda: helpdesk.get("/readyz").json() == healthy or None)
        _check_health(portal)
        _check_clean_stop(portal)


def _wait_until_listed(portal: ProductionPortal, devices: list[Device]) -> None:
    device_ids = {device["deviceId"] for device in devices}

    def look() -> bool | None:
        with psycopg.connect(portal.database_url) as connection:
            known = connection.execute("SELECT device_id FROM commands_device").fetchall()
        return device_ids <= {device_id for (device_id,) in known} or None

    eventually(look)


def _compare_ledger_and_record(portal: ProductionPortal, devices: list[Device]) -> None:
    """Compare the commands one by one, and check the fewest possible POSTs.

    The rules allow ten captures, two captures, and three diags.
    """
    ledger_content = ledger(portal.simulator)
    assert sorted(len(post["items"]) for post in ledger_content["posts"]) == [2, 3, 10]
    kinds = {device["deviceId"]: "pcap" if index < 12 else "warp-diag" for index, device in enumerate(devices)}
    commands = {(row["id"], row["device_id"], row["kind"], row["status"]) for row in ledger_content["commands"]}
    assert sorted((device_id, kind) for _, device_id, kind, _ in commands) == sorted(kinds.items())
    with psycopg.connect(portal.database_url) as connection:
        query = "SELECT remote_id, device_id, kind, status FROM commands_command"
        assert set(connection.execute(query).fetchall()) == commands
        bodies = [body["commands"] for (body,) in connection.execute("SELECT body FROM commands_dispatch").fetchall()]
    assert _sorted_json(bodies) == _sorted_json(post["items"] for post in ledger_content["posts"])


def _sorted_json(bodies: Iterable[Any]) -> list[str]:
    """Serialize for comparison, because PostgreSQL does not preserve the order of keys."""
    return sorted(json.dumps(body, sort_keys=True) for body in bodies)


def _downloaded_file(response: Any) -> bytes | None:
    if response.status_code == 404:
        return None
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    content: bytes = response.content
    return content


def _compare_hashes(portal: ProductionPortal, files: dict[str, bytes]) -> None:
    """Compare the recorded hash with the file that the user got, and with the file at Cloudflare."""
    with psycopg.connect(portal.database_url) as connection:
        rows = connection.execute(
            "SELECT c.id, c.remote_id, c.status, a.sha256 FROM commands_command c"
            " JOIN commands_artifact a ON a.command_id = c.id"
        ).fetchall()
    assert {str(row[0]) for row in rows} == set(files)
    for id_, remote_id, status, sha256 in rows:
        assert status == "SUCCESS"
        assert hashlib.sha256(files[str(id_)]).hexdigest() == sha256
        assert hashlib.sha256(_download_from_cloudflare(portal.simulator, remote_id)).hexdigest() == sha256


def _download_from_cloudflare(simulator: SimulatorProcess, remote_id: str) -> bytes:
    address = f"{simulator.base_url}/accounts/{simulator.account_id}/dex/commands/{remote_id}/downloads/{remote_id}.zip"
    with urlopen(
        Request(address, headers={"Authorization": f"Bearer {simulator.token}"}), timeout=MAX_WAIT
    ) as response:
        content: bytes = response.read()
    return content


def _check_health(portal: ProductionPortal) -> None:
    for container in portal.running():
        assert container.is_healthy(), container.output()
    for name in ("beat-1", "worker-talk-1"):
        [container] = [container for container in portal.running() if container.name == name]
        _check_suspended_container_is_unhealthy(container)


def _check_suspended_container_is_unhealthy(container: Container) -> None:
    alive = Path(container.environment["ALIVE_FILE"])
    container.process.send_signal(signal.SIGSTOP)
    os.utime(alive, times=(0, 0))
    assert not container.is_healthy()
    container.process.send_signal(signal.SIGCONT)
    eventually(lambda: container.is_healthy() or None)


def _check_clean_stop(portal: ProductionPortal) -> None:
    """Stop the web process first, like Compose, because no other service depends on it."""
    running = portal.running()
    assert len(running) == 6
    for container in running:
        container.stop()
        assert container.process.returncode == 0, container.output()
        assert "Traceback" not in container.output(), container.output()
