"""Gives each contract test its upstreams: the simulator, and a real account where the environment names one."""

import json
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.contract.clients import SPEAKERS, Speaker
from tests.contract.upstream import ACCOUNT, SIMULATOR, Target, Upstream, names, not_collected, real_account
from tests.simulator_process import SimulatorProcess, running_simulator


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `target` creates commands."""
    if "upstream" in metafunc.fixturenames:
        marks = {SIMULATOR: (), ACCOUNT: (pytest.mark.verification,)}
        found = names(creates="target" in metafunc.fixturenames)
        metafunc.parametrize(
            "upstream", [pytest.param(name, marks=marks[name]) for name in found], indirect=True, scope="session"
        )


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Says what of a wanted verification cannot run; without this line it would be missing in silence."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and config.option.markexpr == "verification" and (line := not_collected()):
        reporter.write_line(line)


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="session")
def simulated(simulator: SimulatorProcess) -> Upstream:
    with urlopen(f"{simulator.control_url}/world", timeout=30) as answer:
        devices = json.load(answer)["devices"]
    well = [row for row in devices if row["online"] and row["eligible"] and not row["trouble"]]
    steady = next(row for row in well if row["platform"] == "mac")
    return Upstream(
        base_url=simulator.base_url,
        account_id=simulator.account_id,
        token=simulator.token,
        target=Target(steady["device_id"], steady["person_email"], steady["registration_id"]),
        patience=30.0,
        pause=0.05,
    )


@pytest.fixture(scope="session")
def upstream(request: pytest.FixtureRequest) -> Upstream:
    if request.param == SIMULATOR:
        found: Upstream = request.getfixturevalue("simulated")
        return found
    account = real_account()
    assert account
    return account


@pytest.fixture
def target(upstream: Upstream) -> Target:
    assert upstream.target
    return upstream.target


@pytest.fixture
def everyone(upstream: Upstream) -> dict[str, Speaker]:
    return {name: make(upstream) for name, make in SPEAKERS.items()}
