# Every recipe ends in exec: make would otherwise orphan what it started.
.PHONY: run test test-services check bench

run:
	@scripts/bootstrap && exec .venv/bin/python -m dexportal.run

test:
	@scripts/bootstrap && exec scripts/test

test-services:
	@scripts/bootstrap && exec .venv/bin/python -m scripts.services

check:
	@scripts/bootstrap && exec .venv/bin/python -m scripts.check

bench:
	@scripts/bootstrap && exec .venv/bin/python -m benchmarks
