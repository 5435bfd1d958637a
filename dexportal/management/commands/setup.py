from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from commands.actions import accounts


class Command(BaseCommand):
    help = "Before a portal starts: migrations, the cache's table, the checks, and the account that the settings name."
    requires_system_checks = []  # migrate asks for those that need no tables yet, and check for all

    def handle(self, *, verbosity: int, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=verbosity, stdout=self.stdout)
        call_command("createcachetable", verbosity=verbosity, stdout=self.stdout)
        call_command("check", deploy=settings.PRODUCTION, databases=["default"], stdout=self.stdout)
        account = accounts.ensure_upstream_account(now=timezone.now())
        self.stdout.write(f"Account: {account.name} ({account.cloudflare_id}) at {settings.UPSTREAM.url}")
