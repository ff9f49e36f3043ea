from django.urls import path

from . import health, views

app_name = "dashboard"
urlpatterns = [
    path("", views.landing, name="landing"),
    path("healthz", health.healthz, name="healthz"),
    path("workspaces/", views.workspaces, name="workspaces"),
    path("w/<slug:slug>/", views.home, name="home"),
    path("w/<slug:slug>/preferences/", views.preferences, name="preferences"),
]
