"""What runs before the others: it can be repeated, and keeps the portal from starting while something would harm."""

from pathlib import Path

import psycopg

from tests.services.production.containers import Container
from tests.services.production.portal import PASSWORD, START_WITHIN, Production, production


def test_it_can_be_repeated_and_fails_while_demo_people_could_sign_in(tmp_path: Path) -> None:
    with production(tmp_path) as portal:
        first, second = portal.migrate(), portal.migrate()
        assert "Applying commands.0001_initial" in first
        assert "No migrations to apply" in second
        assert _accounts(portal) == [(portal.simulator.account_id, portal.simulator.base_url)]
        portal.manage(
            *("createsuperuser", "--no-input", "--username", "helpdesk", "--email", "helpdesk@example.com"),
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        container = Container(portal.services["migrate"], portal.host, number=2)
        portal.containers.append(container)
        assert container.wait(START_WITHIN) == 1
        assert "Demo people can sign in to a portal with a real upstream: helpdesk." in container.said()


def test_check_deploy_has_nothing_to_say(tmp_path: Path) -> None:
    with production(tmp_path) as portal:
        portal.migrate()
        said = portal.manage("check", "--deploy", "--database", "default", "--fail-level", "WARNING")
        assert said.startswith("System check identified no issues")


def _accounts(portal: Production) -> list[tuple[str, str]]:
    with psycopg.connect(portal.database_url) as connection:
        rows = connection.execute("SELECT cloudflare_id, upstream FROM commands_account").fetchall()
    return [(str(cloudflare_id), str(upstream)) for cloudflare_id, upstream in rows]
