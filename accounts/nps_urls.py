from django.urls import path

from accounts.views import nps

app_name = "nps"
urlpatterns = [
    path("", nps.report, name="report"),
    path("answers.csv", nps.export, name="export"),
    path("survey/", nps.survey, name="survey"),
]
