"""Tests of the one-shot setup service: it is repeatable, and deactivates the demo people."""

from pathlib import Path

import psycopg

from tests.services.production.portal import PASSWORD, ProductionPortal, production_portal


def test_setup_is_repeatable_and_deactivates_only_demo_people(tmp_path: Path) -> None:
    with production_portal(tmp_path) as portal:
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
        assert _activity_by_username(portal) == {"helpdesk": False, "admin": True}


def test_check_deploy_reports_no_issue(tmp_path: Path) -> None:
    with production_portal(tmp_path) as portal:
        portal.migrate()
        output = portal.manage("check", "--deploy", "--database", "default", "--fail-level", "WARNING")
        assert output.startswith("System check identified no issues")


def _accounts(portal: ProductionPortal) -> list[tuple[str, str]]:
    with psycopg.connect(portal.database_url) as connection:
        rows = connection.execute("SELECT cloudflare_id, upstream FROM commands_account").fetchall()
    return [(str(cloudflare_id), str(upstream)) for cloudflare_id, upstream in rows]


def _activity_by_username(portal: ProductionPortal) -> dict[str, bool]:
    with psycopg.connect(portal.database_url) as connection:
        return dict(connection.execute("SELECT username, is_active FROM commands_user").fetchall())
