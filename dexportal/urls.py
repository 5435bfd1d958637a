"""URLs of the whole portal. Those of the pages are in commands/urls.py."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from dexportal import health

# Django's own sign-in page of the admin has no rate limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "commands.web.shared.errors.bad_request"
handler403 = "commands.web.shared.forbidden.refused"
handler404 = "commands.web.shared.errors.not_found"
handler500 = "commands.web.shared.errors.server_error"

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    # Only administrators change email addresses, because the history shows people by them.
    path("accounts/email/", RedirectView.as_view(pattern_name="account_change_password")),
    path("accounts/", include("allauth.account.urls")),
    # The page of the admin has no rate limit and sends no email about the change.
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
    path("", include("commands.urls")),
]
