from django.urls import path

from . import views

app_name = "dashboard"
urlpatterns = [
    path("", views.landing, name="landing"),
    path("workspaces/", views.workspaces, name="workspaces"),
    path("w/<slug:slug>/", views.home, name="home"),
    path("w/<slug:slug>/preferences/", views.preferences, name="preferences"),
]
