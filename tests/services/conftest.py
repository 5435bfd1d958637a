"""Collection and fixtures of the service tests. A header line names what is missing and the skipped files."""

import shutil
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from tests.contract.clients import Plain
from tests.contract.upstream import Upstream
from tests.polling import MAX_WAIT
from tests.servers import postgresql_folder, redis_server
from tests.services.openapi_document import DOCUMENT
from tests.services.recorder import Recorder, recording
from tests.simulator_process import SimulatorProcess, running_simulator

_NEEDS = {
    f"the OpenAPI document {DOCUMENT.parent.name}/{DOCUMENT.name}": (
        DOCUMENT.is_file(),
        ["test_responses_match_openapi.py", "test_requests_match_openapi.py", "test_prism.py"],
    ),
    "npm": (shutil.which("npm") is not None, ["test_prism.py"]),
    "tshark": (shutil.which("tshark") is not None, ["test_tshark.py"]),
    "PostgreSQL": (postgresql_folder() is not None, ["test_servers.py"]),
    "Redis": (redis_server() is not None, ["test_redis_refuses_writes.py", "test_servers.py"]),
}

collect_ignore = sorted({file for available, files in _NEEDS.values() if not available for file in files})


def pytest_report_header() -> list[str]:
    return [
        f"not collected without {name}: {', '.join(files)}"
        for name, (available, files) in _NEEDS.items()
        if not available
    ]


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[SimulatorProcess]:
    with running_simulator() as running:
        yield running


@pytest.fixture
def simulator(shared_simulator: SimulatorProcess) -> SimulatorProcess:
    """Reset the shared simulator to its state after the start."""
    request = Request(f"{shared_simulator.control_url}/reset", b'{"config": true}', method="POST")
    with urlopen(request, timeout=MAX_WAIT) as response:
        assert response.status == 200
    return shared_simulator


@pytest.fixture
def recorder(simulator: SimulatorProcess) -> Iterator[Recorder]:
    with recording(simulator.base_url) as running:
        yield running


@pytest.fixture
def plain(simulator: SimulatorProcess, recorder: Recorder) -> Plain:
    """Return a plain HTTP client of the simulator, whose exchanges are recorded."""
    return Plain(Upstream(recorder.base_url, simulator.account_id, simulator.token, None, 30.0, 0.05))
