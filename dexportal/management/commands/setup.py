from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from commands import schema
from commands.actions.administration import demo

OTHER_SCHEMA = (
    "{database} was made by another version of dexportal: this version doesn't know its migrations ({names}). "
    "Nothing was changed. If it comes from a newer version, run that version. If it comes from before the first "
    "release, it can't be upgraded: move it away, or set DATABASE_URL to an empty database, and start again."
)


class Command(BaseCommand):
    help = "Prepares dexportal to start: migrates the database, runs checks, creates the account and the demo people."
    requires_system_checks = []  # migrate runs those that need no tables, and `check` then runs all

    def handle(self, *, verbosity: int, **options: Any) -> None:
        self._refuse_other_schema()
        call_command("migrate", interactive=False, verbosity=verbosity, stdout=self.stdout)
        demo.dismiss_demo_people()  # before the check that fails if demo people can sign in
        success = self.stdout if verbosity else StringIO()  # failures go to stderr
        call_command("check", deploy=settings.PRODUCTION, databases=["default"], stdout=success)
        call_command("demo_people", stdout=self.stdout)

    def _refuse_other_schema(self) -> None:
        """Stop before `migrate` changes a database whose schema this code doesn't know."""
        unknown = schema.unknown_migrations()
        if unknown:
            raise CommandError(OTHER_SCHEMA.format(names=", ".join(unknown), database=_location()))


def _location() -> str:
    database = settings.DATABASES["default"]
    is_file = database["ENGINE"].endswith("sqlite3")
    return f"the file {database['NAME']}" if is_file else f"the database {database['NAME']}"
