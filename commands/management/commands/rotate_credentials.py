from typing import Any

from django.core.management.base import BaseCommand, CommandError

from commands.actions.administration import credentials


class Command(BaseCommand):
    help = "Seals every credential anew under the first of CREDENTIAL_KEYS, so that an old key can be taken out."

    def handle(self, **options: Any) -> None:
        rotation = credentials.rotate()
        self.stdout.write(f"{rotation.rotated} credentials are sealed under the first key.")
        if rotation.closed:
            names = ", ".join(f"“{name}”" for name in rotation.closed)
            raise CommandError(f"No key of CREDENTIAL_KEYS opens {names}: enter the value again in the admin.")
