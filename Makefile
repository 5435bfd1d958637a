# Every recipe ends in exec: make would otherwise orphan what it started.
.PHONY: run test test-services coverage check bench chaos

run:
	@scripts/bootstrap && exec .venv/bin/python -m dexportal.run

test:
	@scripts/bootstrap && exec scripts/test

test-services:
	@scripts/bootstrap && exec .venv/bin/python -m scripts.services

# Branches of Python and lines of templates that the tests without a browser go through; twice as slow as they are.
coverage:
	@scripts/bootstrap && TEMPLATE_DEBUG=1 exec .venv/bin/pytest -n auto --dist worksteal -m 'not browser' --cov

check:
	@scripts/bootstrap && exec .venv/bin/python -m scripts.check

bench:
	@scripts/bootstrap && exec .venv/bin/python -m benchmarks

# make chaos N=10000 SEED=1: the whole portal under every fault there is.
N = 10000
SEED = 1
chaos:
	@scripts/bootstrap && exec .venv/bin/python -m scripts.chaos $(N) $(SEED)
