"""WSGI application that dexportal/serve.py serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexportal.settings")
application = get_wsgi_application()

from commands import wakeup  # noqa: E402 - it needs the settings

wakeup.prepare()
