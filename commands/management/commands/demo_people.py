from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from commands.actions.administration import accounts, demo


class Command(BaseCommand):
    help = (
        "Creates the Cloudflare account of the settings. With the simulator it also creates the demo people. With a "
        "real Cloudflare account it disables their sign-in."
    )

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        account = accounts.ensure_upstream_account(now=now)
        self.stdout.write(f"Account: {account.name} ({account.cloudflare_id}) at {settings.UPSTREAM.url}")
        if not settings.UPSTREAM.is_simulator:
            demo.dismiss_demo_people()
            self.stdout.write("Demo people can't sign in, because this portal uses a real Cloudflare account.")
            return
        people = demo.ensure_demo_people(now=now)
        self.stdout.write("Sign in as: " + ", ".join(person.username for person in people))
        self.stdout.write(f"Password:   {demo.demo_password()}")
