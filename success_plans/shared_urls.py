from django.urls import path

from success_plans.views import shared

app_name = "shared"
urlpatterns = [path("<str:token>/", shared.shared, name="plan")]
