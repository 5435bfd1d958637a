"""One suite for two upstreams: the simulator always, a real account with `pytest -m verification`."""
