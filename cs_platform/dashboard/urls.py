from django.conf import settings
from django.urls import path, register_converter
from django.urls.converters import StringConverter

from . import (
    api_keys,
    audit,
    csp_reports,
    health,
    holidays,
    home,
    mail_sink,
    members,
    profile,
    saved_views,
    settings_pages,
    views,
)
from .reports import views as reports
from .reports.tabs import FILES, TABS


class PageWithViews(StringConverter):
    regex = "|".join(settings.PAGES_WITH_VIEWS)


class ReportTab(StringConverter):
    regex = "|".join(tab.key for tab in TABS[1:])  # the first stands at /reports/ itself


class ReportFile(StringConverter):
    regex = "|".join(FILES)


register_converter(PageWithViews, "page")
register_converter(ReportTab, "report_tab")
register_converter(ReportFile, "report_file")

app_name = "dashboard"
urlpatterns = [
    path("", views.landing, name="landing"),
    path("healthz", health.healthz, name="healthz"),
    path("csp-report/", csp_reports.csp_report, name="csp-report"),
    path("mail-sink/", mail_sink.messages, name="mail-sink"),
    path("mail-sink/<str:name>/", mail_sink.message, name="mail-sink-message"),
    path("workspaces/", views.workspaces, name="workspaces"),
    path("w/<slug:slug>/", home.home, name="home"),
    path("w/<slug:slug>/settings/", settings_pages.settings_index, name="settings"),
    path("w/<slug:slug>/settings/audit/", audit.audit_log, name="audit"),
    path("w/<slug:slug>/settings/holidays/", holidays.holiday_list, name="holidays"),
    path("w/<slug:slug>/settings/holidays/<int:pk>/remove/", holidays.remove_holiday, name="remove-holiday"),
    path("w/<slug:slug>/settings/members/", members.member_list, name="members"),
    path("w/<slug:slug>/settings/members/<int:pk>/", members.member_page, name="member"),
    path("w/<slug:slug>/settings/members/<int:pk>/role/", members.change_role, name="change-role"),
    path("w/<slug:slug>/settings/members/<int:pk>/deactivate/", members.deactivate, name="deactivate-member"),
    path("w/<slug:slug>/settings/members/<int:pk>/reactivate/", members.reactivate, name="reactivate-member"),
    path(
        "w/<slug:slug>/settings/invitations/<int:pk>/again/",
        members.settle_invitation,
        {"verb": "again"},
        name="invite-again",
    ),
    path(
        "w/<slug:slug>/settings/invitations/<int:pk>/revoke/",
        members.settle_invitation,
        {"verb": "revoke"},
        name="revoke-invitation",
    ),
    path("w/<slug:slug>/settings/teams/", members.team_list, name="teams"),
    path("w/<slug:slug>/settings/teams/<int:pk>/", members.team_page, name="team"),
    path(
        "w/<slug:slug>/settings/teams/<int:pk>/archive/", members.settle_team, {"verb": "archive"}, name="archive-team"
    ),
    path(
        "w/<slug:slug>/settings/teams/<int:pk>/restore/", members.settle_team, {"verb": "restore"}, name="restore-team"
    ),
    path("w/<slug:slug>/settings/api-keys/", api_keys.key_list, name="api-keys"),
    path("w/<slug:slug>/settings/api-keys/<int:pk>/revoke/", api_keys.revoke, name="revoke-key"),
    path("w/<slug:slug>/reports/", reports.report, name="reports"),
    path("w/<slug:slug>/reports/<report_tab:tab>/", reports.report, name="report"),
    path("w/<slug:slug>/reports/<report_file:file>.csv", reports.export, name="report-file"),
    path("w/<slug:slug>/profile/", profile.profile, name="profile"),
    path("w/<slug:slug>/preferences/", views.preferences, name="preferences"),
    path("w/<slug:slug>/views/<int:pk>/", saved_views.edit_view, name="edit-view"),
    path("w/<slug:slug>/views/<int:pk>/keep/", saved_views.keep_view, name="keep-view"),
    path("w/<slug:slug>/views/<int:pk>/columns/", saved_views.keep_columns, name="keep-columns"),
    path("w/<slug:slug>/views/<int:pk>/delete/", saved_views.delete_view, name="delete-view"),
    path("w/<slug:slug>/views/<int:pk>/restore/", saved_views.restore_view, name="restore-view"),
    path("w/<slug:slug>/views/counts/", saved_views.view_counts, name="view-counts"),
    path("w/<slug:slug>/views/<page:page>/new/", saved_views.new_view, name="new-view"),
]
