# Every recipe ends in exec. Otherwise make would leave programs running when it is stopped.
.PHONY: help run dev shell check fix test test-services coverage bench chaos

help: ## print this list
	@exec awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## start the whole portal on this machine, with a simulated Cloudflare
	@scripts/bootstrap && exec .venv/bin/python -m dexportal.run

dev: ## the same with debug pages; the web process reloads when code or templates change
	@scripts/bootstrap && exec .venv/bin/python -m dexportal.run --dev

shell: ## open a Python shell on the database of make run
	@scripts/bootstrap && exec .venv/bin/python manage.py shell

check: ## types, style, imports, templates, migrations, project rules
	@scripts/bootstrap dev && exec .venv/bin/python -m scripts.check

fix: ## repair what tools can repair: style, format, templates, state diagram
	@scripts/bootstrap dev && exec .venv/bin/python -m scripts.fix

test: ## all tests that need only this machine, then those in Chromium
	@scripts/bootstrap dev && exec scripts/test

test-services: ## tests that need PostgreSQL, Redis or tshark (starts its own servers)
	@scripts/bootstrap dev && exec .venv/bin/python -m scripts.services

# Takes twice as long as the tests alone, because lines of templates are counted too.
coverage: ## run the tests without Chromium, and list the branches and template lines they miss
	@scripts/bootstrap dev && TEMPLATE_DEBUG=1 exec .venv/bin/pytest -n auto --dist worksteal -m 'not browser' --cov

bench: ## run the benchmarks (starts its own servers); results go to build/bench.json
	@scripts/bootstrap dev && exec .venv/bin/python -m benchmarks

N = 10000
SEED = 1
chaos: ## run N commands under every kind of fault: make chaos N=10000 SEED=1
	@scripts/bootstrap dev && exec .venv/bin/python -m scripts.chaos $(N) $(SEED)
