"""Contract tests that run against the simulator, and with `pytest -m verification` against a real account."""
