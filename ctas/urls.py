from django.urls import path, re_path

from ctas.views import cockpit, drawer, work

app_name = "ctas"
urlpatterns = [
    path("", cockpit.cockpit, name="cockpit"),
    path("new/", cockpit.new, name="new"),
    path("new/accounts/", cockpit.suggest_accounts, name="suggest_accounts"),
    path("<int:pk>/", drawer.cta_page, name="detail"),
    path("<int:pk>/edit/", work.edit, name="edit"),
    path("<int:pk>/snooze/", work.snooze, name="snooze"),
    path("<int:pk>/wake/", work.wake, name="wake"),
    path("<int:pk>/close/", work.finish, name="finish"),
    re_path(r"^(?P<pk>[0-9]{1,18})/close/(?P<status>won|lost|cancelled)/$", drawer.close, name="close"),
    path("<int:pk>/reopen/", drawer.reopen, name="reopen"),
    path("<int:pk>/tasks/", work.add_task, name="add_task"),
    path("<int:pk>/comments/", work.comment, name="comment"),
    path("<int:pk>/files/", work.attach, name="attach"),
    re_path(r"^tasks/(?P<pk>[0-9]{1,18})/(?P<verb>complete|reopen)/$", drawer.tick, name="tick"),
]
