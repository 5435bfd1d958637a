from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from commands.actions.administration import demo


class Command(BaseCommand):
    help = "Before a portal starts: migrations, the checks, the account that the settings name, and the demo people."
    requires_system_checks = []  # migrate asks for those that need no tables yet, and check for all

    def handle(self, *, verbosity: int, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=verbosity, stdout=self.stdout)
        demo.dismiss_demo_people()  # before the check that stops where they could sign in
        all_is_well = self.stdout if verbosity else StringIO()  # what is not well goes to the errors
        call_command("check", deploy=settings.PRODUCTION, databases=["default"], stdout=all_is_well)
        call_command("demo_people", stdout=self.stdout)
