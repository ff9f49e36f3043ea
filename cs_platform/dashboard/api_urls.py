from django.urls import re_path

from cs_platform.dashboard.api import ReportViewSet
from cs_platform.dashboard.reporting import Report

urlpatterns = [
    re_path(
        f"^reports/{report}/?$",
        ReportViewSet.as_view({"get": report.value}, basename=f"api-report-{report}"),
        name=f"api-report-{report}",
    )
    for report in Report
]
