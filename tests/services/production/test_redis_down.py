"""Redis refuses connections, or accepts them and never responds. Forms still respond, and no command is lost."""

from pathlib import Path

from tests.html import Page
from tests.polling import eventually
from tests.services.production.desk_form import Device, fill_in_form, find_devices
from tests.services.production.portal import ProductionPortal, ledger, production_portal
from tests.services.production.user_session import UserSession

BROKER_DOWN = "Message queue unavailable."
SUBMITS = 5


def test_without_redis_the_form_responds_and_beat_sends_the_command_once(tmp_path: Path) -> None:
    with production_portal(tmp_path) as portal:
        portal.migrate()
        portal.start()
        helpdesk = portal.sign_in_as("alex", "helpdesk")
        devices = find_devices(portal.simulator, 3 * SUBMITS)
        baseline_devices, refused_devices, hanging_devices = (devices[start::3] for start in range(3))
        _submit_runs(helpdesk, baseline_devices)
        eventually(lambda: _sent_device_ids(portal) == _device_ids(baseline_devices) or None)
        eventually(lambda: _is_sending_idle(portal) or None)

        portal.broker.refuse()
        _submit_runs(helpdesk, refused_devices)
        assert "broker" in helpdesk.get("/readyz").json()["degraded"]
        assert _sent_device_ids(portal) == _device_ids(baseline_devices)
        _wait_for_banners(helpdesk, BROKER_DOWN)
        portal.broker.forward()
        eventually(lambda: _sent_device_ids(portal) == _device_ids(baseline_devices + refused_devices) or None)
        _wait_until_redis_is_reached(helpdesk)
        _wait_for_banners(helpdesk)
        eventually(lambda: _is_sending_idle(portal) or None)

        portal.broker.hang()
        _submit_runs(helpdesk, hanging_devices)
        assert helpdesk.get("/readyz").status_code == 200
        assert _sent_device_ids(portal) == _device_ids(baseline_devices + refused_devices)
        portal.broker.forward()
        eventually(lambda: _sent_device_ids(portal) == _device_ids(devices) or None)


def _submit_runs(helpdesk: UserSession, devices: list[Device]) -> None:
    """Submit a run for each device. Each form is answered while the broker is as it is."""
    for device in devices:
        response = helpdesk.post("/", fill_in_form(helpdesk, [device]))
        assert response.status_code == 303, response.text


def _device_ids(devices: list[Device]) -> list[str]:
    return sorted(device["deviceId"] for device in devices)


def _wait_for_banners(helpdesk: UserSession, *titles: str) -> None:
    """Wait until the page shows exactly these banners. Until then it must not blame the workers."""

    def look() -> bool | None:
        page = Page.parse(helpdesk.get("/frame").text)
        shown = page.texts("[data-testid=banner] strong")
        assert not titles or not any("worker" in title for title in shown), shown
        return (shown == list(titles) and (not titles or "Last seen:" in page.text("#banners"))) or None

    eventually(look, pause=1)


def _sent_device_ids(portal: ProductionPortal) -> list[str]:
    return sorted(row["device_id"] for row in ledger(portal.simulator)["commands"])


def _is_sending_idle(portal: ProductionPortal) -> bool:
    """Return whether no command is queued or being sent.

    Otherwise the worker that records the last POST continues with later commands, without the broker.
    """
    script = (
        'from commands.models import Command; print(Command.objects.filter(status__in=["queued", "sending"]).count())'
    )
    return portal.manage("shell", "--no-imports", "-c", script).split()[-1] == "0"


def _wait_until_redis_is_reached(helpdesk: UserSession) -> None:
    """Wait until both web processes use Redis again.

    Each of them avoids Redis for a while after a failure. Ten responses in a row come from both.
    """

    def look() -> bool | None:
        responses = [helpdesk.get("/readyz").json()["degraded"] for _ in range(10)]
        return not any("broker" in degraded for degraded in responses) or None

    eventually(look)
