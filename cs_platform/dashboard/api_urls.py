from django.urls import re_path

from cs_platform.dashboard.reports.api import ReportViewSet
from cs_platform.dashboard.reports.tabs import FILES

urlpatterns = [
    re_path(
        f"^reports/{key}/?$",
        ReportViewSet.as_view({"get": key.replace("-", "_")}, basename=f"api-report-{key}"),
        name=f"api-report-{key}",
    )
    for key in FILES
]
