from django.urls import include, path

from cs_platform.dashboard import joining
from cs_platform.web.mailbox import google_consent

urlpatterns = [
    path("", include("cs_platform.dashboard.urls")),
    path("account/", include("allauth.urls")),
    path("join/<str:token>/", joining.join, name="join"),
    path("connected/google/", google_consent, name="google-consent"),
    path("mail/stop/<str:token>/", joining.stop_mail, name="stop_mail"),
    path("w/<slug:slug>/accounts/", include("accounts.urls")),
    path("w/<slug:slug>/users/", include("accounts.user_urls")),
    path("w/<slug:slug>/ctas/", include("ctas.urls")),
    path("w/<slug:slug>/plans/", include("success_plans.urls")),
    path("w/<slug:slug>/nps/", include("accounts.nps_urls")),
    path("w/<slug:slug>/health/", include("accounts.health_urls")),
    path("w/<slug:slug>/segments/", include("accounts.segment_urls")),
    path("w/<slug:slug>/playbooks/", include("playbooks.urls")),
    path("w/<slug:slug>/settings/", include("accounts.settings_urls")),
    path("w/<slug:slug>/settings/ctas/", include("ctas.list_urls")),
    path("w/<slug:slug>/settings/plans/", include("success_plans.settings_urls")),
    path("w/<slug:slug>/settings/connectors/", include("cs_platform.web.connector_urls")),
    path("w/<slug:slug>/settings/data-sources/", include("accounts.source_urls")),
    path("shared/", include("success_plans.shared_urls")),
    path("nps/v1/", include("accounts.api.survey_urls")),
    path("w/<slug:slug>/", include("cs_platform.web.workspace_urls")),
    path("", include("accounts.public_urls")),
    path("w/<slug:slug>/imports/", include("accounts.import_urls")),
    path("w/<slug:slug>/jobs/", include("cs_platform.web.job_urls")),
    path("api/v1/", include("cs_platform.api_urls")),
    path("v1/", include("accounts.tracking_urls")),
]

handler400 = "cs_platform.web.errors.bad_request"
handler403 = "cs_platform.web.errors.permission_denied"
handler404 = "cs_platform.web.errors.page_not_found"
handler500 = "cs_platform.web.errors.server_error"
