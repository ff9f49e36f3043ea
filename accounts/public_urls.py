"""Addresses for people who have no account here: what stands in messages to them."""

from django.urls import path

from accounts.views import unsubscribe

urlpatterns = [path("unsubscribe/<str:token>/", unsubscribe.leave, name="unsubscribe")]
