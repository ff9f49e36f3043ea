from django.urls import path

from . import health, mail_sink, settings_pages, views

app_name = "dashboard"
urlpatterns = [
    path("", views.landing, name="landing"),
    path("healthz", health.healthz, name="healthz"),
    path("mail-sink/", mail_sink.messages, name="mail-sink"),
    path("mail-sink/<str:name>/", mail_sink.message, name="mail-sink-message"),
    path("workspaces/", views.workspaces, name="workspaces"),
    path("w/<slug:slug>/", views.home, name="home"),
    path("w/<slug:slug>/settings/", settings_pages.settings_index, name="settings"),
    path("w/<slug:slug>/preferences/", views.preferences, name="preferences"),
]
