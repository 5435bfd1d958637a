"""What runs before the others: it can be repeated, and leaves nobody of the demo who could sign in."""

from pathlib import Path

import psycopg

from tests.services.production.portal import PASSWORD, Production, production


def test_it_can_be_repeated_and_dismisses_demo_people_but_nobody_else_of_their_names(tmp_path: Path) -> None:
    with production(tmp_path) as portal:
        first = portal.migrate()
        assert "Applying commands.0001_initial" in first
        for name, email in (("helpdesk", "helpdesk@demo.example.com"), ("admin", "admin@example.org")):
            portal.manage(
                *("createsuperuser", "--no-input", "--username", name, "--email", email),
                DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            )
        second = portal.migrate()
        assert "No migrations to apply" in second
        assert "System check identified no issues" in second
        assert _accounts(portal) == [(portal.simulator.account_id, portal.simulator.base_url)]
        assert _people(portal) == {"helpdesk": False, "admin": True}


def test_check_deploy_has_nothing_to_say(tmp_path: Path) -> None:
    with production(tmp_path) as portal:
        portal.migrate()
        said = portal.manage("check", "--deploy", "--database", "default", "--fail-level", "WARNING")
        assert said.startswith("System check identified no issues")


def _accounts(portal: Production) -> list[tuple[str, str]]:
    with psycopg.connect(portal.database_url) as connection:
        rows = connection.execute("SELECT cloudflare_id, upstream FROM commands_account").fetchall()
    return [(str(cloudflare_id), str(upstream)) for cloudflare_id, upstream in rows]


def _people(portal: Production) -> dict[str, bool]:
    """Who is active."""
    with psycopg.connect(portal.database_url) as connection:
        return dict(connection.execute("SELECT username, is_active FROM commands_user").fetchall())
