"""Fixtures of the contract tests: the upstreams, and all clients of an upstream."""

import json
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.contract.clients import CLIENTS, ApiClient
from tests.contract.upstream import (
    ACCOUNT,
    SIMULATOR,
    Target,
    Upstream,
    available_upstreams,
    real_account,
    uncollected_notice,
)
from tests.polling import MAX_WAIT
from tests.simulator_process import SimulatorProcess, running_simulator


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with `upstream` against every upstream. A test with `target` creates commands."""
    if "upstream" in metafunc.fixturenames:
        marks = {SIMULATOR: (), ACCOUNT: (pytest.mark.verification,)}
        names = available_upstreams(creates="target" in metafunc.fixturenames)
        metafunc.parametrize(
            "upstream", [pytest.param(name, marks=marks[name]) for name in names], indirect=True, scope="session"
        )


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Report the tests of `-m verification` that cannot run. Without this line they would be missing silently."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and config.option.markexpr == "verification" and (notice := uncollected_notice()):
        reporter.write_line(notice)


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    with running_simulator() as running:
        yield running


@pytest.fixture(scope="session")
def simulated(simulator: SimulatorProcess) -> Upstream:
    with urlopen(f"{simulator.control_url}/world", timeout=MAX_WAIT) as response:
        devices = json.load(response)["devices"]
    healthy = [row for row in devices if row["online"] and row["eligible"] and not row["trouble"]]
    # a Mac, because only Windows limits captures to one at a time
    device = next(row for row in healthy if row["platform"] == "mac")
    return Upstream(
        base_url=simulator.base_url,
        account_id=simulator.account_id,
        token=simulator.token,
        target=Target(device["device_id"], device["person_email"], device["registration_id"]),
        patience=MAX_WAIT,
        pause=0.05,
    )


@pytest.fixture(scope="session")
def upstream(request: pytest.FixtureRequest) -> Upstream:
    if request.param == SIMULATOR:
        simulated: Upstream = request.getfixturevalue("simulated")
        return simulated
    account = real_account()
    assert account
    return account


@pytest.fixture
def target(upstream: Upstream) -> Target:
    assert upstream.target
    return upstream.target


@pytest.fixture
def clients(upstream: Upstream) -> dict[str, ApiClient]:
    return {name: build(upstream) for name, build in CLIENTS.items()}
