"""Decides which of the service tests can be collected on this machine, with one line for each thing that is missing."""

import shutil
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from tests.contract.clients import Plain
from tests.contract.upstream import Upstream
from tests.servers import postgresql_folder, redis_server
from tests.services.document import DOCUMENT
from tests.services.recorder import Recorder, recording
from tests.simulator_process import SimulatorProcess, running_simulator

_NEEDS = {
    f"the API's document {DOCUMENT.parent.name}/{DOCUMENT.name}": (
        DOCUMENT.is_file(),
        ["test_answers_fit_the_document.py", "test_requests_fit_the_document.py", "test_prism.py"],
    ),
    "npm": (shutil.which("npm") is not None, ["test_prism.py"]),
    "tshark": (shutil.which("tshark") is not None, ["test_tshark.py"]),
    "PostgreSQL": (postgresql_folder() is not None, ["test_servers.py"]),
    "Redis": (redis_server() is not None, ["test_servers.py"]),
}

collect_ignore = sorted({name for found, names in _NEEDS.values() if not found for name in names})


def pytest_report_header() -> list[str]:
    return [f"not collected without {what}: {', '.join(names)}" for what, (found, names) in _NEEDS.items() if not found]


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[SimulatorProcess]:
    with running_simulator() as running:
        yield running


@pytest.fixture
def simulator(shared_simulator: SimulatorProcess) -> SimulatorProcess:
    """As if it had just been started."""
    order = Request(f"{shared_simulator.control_url}/reset", b'{"config": true}', method="POST")
    with urlopen(order, timeout=30) as answer:
        assert answer.status == 200
    return shared_simulator


@pytest.fixture
def recorder(simulator: SimulatorProcess) -> Iterator[Recorder]:
    with recording(simulator.base_url) as running:
        yield running


@pytest.fixture
def plain(simulator: SimulatorProcess, recorder: Recorder) -> Plain:
    """Plain HTTP to the simulator, recorded."""
    return Plain(Upstream(recorder.base_url, simulator.account_id, simulator.token, None, 30.0, 0.05))
