from django.apps import AppConfig


class CommandsConfig(AppConfig):
    name = "commands"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from commands import grants  # noqa: PLC0415 - needs the models, which are loaded now

        grants.connect(self)
