from django.urls import path

from accounts.api import survey

app_name = "survey"
urlpatterns = [
    path("survey", survey.survey, name="survey"),
    path("shown", survey.shown, name="shown"),
    path("dismissed", survey.dismissed, name="dismissed"),
    path("answer", survey.answer, name="answer"),
]
