from typing import Any

from django.core.management.base import BaseCommand, CommandError

from commands.actions.administration import credentials


class Command(BaseCommand):
    help = "Re-encrypts all credentials with the first key of CREDENTIAL_KEYS, so that an old key can be removed."

    def handle(self, **options: Any) -> None:
        rotation = credentials.rotate()
        self.stdout.write(f"{rotation.rotated} credentials are encrypted with the first key.")
        if rotation.undecryptable:
            names = ", ".join(f"“{name}”" for name in rotation.undecryptable)
            raise CommandError(
                f"{names} can't be decrypted with CREDENTIAL_KEYS. Enter the value again in the administration."
            )
