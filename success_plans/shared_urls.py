from django.urls import path, re_path

from success_plans.views import shared

app_name = "shared"
urlpatterns = [
    path("<str:token>/", shared.shared, name="plan"),
    path("<str:token>/code/", shared.ask, name="ask"),
    path("<str:token>/enter/", shared.enter, name="enter"),
    path("<str:token>/leave/", shared.leave, name="leave"),
    path("<str:token>/say/", shared.say, name="say"),
    re_path(r"^(?P<token>[^/]+)/tasks/(?P<pk>[0-9]{1,18})/(?P<verb>complete|reopen)/$", shared.tick, name="tick"),
]
