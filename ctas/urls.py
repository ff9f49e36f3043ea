from django.urls import path, re_path

from ctas.views import bulk, cockpit, drawer, tasks, work

PK = "(?P<pk>[0-9]{1,18})"

app_name = "ctas"
urlpatterns = [
    path("", cockpit.cockpit, name="cockpit"),
    path("bulk/", bulk.bulk_edit, name="bulk"),
    path("new/", cockpit.new, name="new"),
    path("new/accounts/", cockpit.suggest_accounts, name="suggest_accounts"),
    path("new/twins/", cockpit.twins, name="twins"),
    path("<int:pk>/", drawer.cta_page, name="detail"),
    path("<int:pk>/edit/", work.edit, name="edit"),
    path("<int:pk>/cell/", work.cell, name="cell"),
    path("<int:pk>/follow/", work.follow, name="follow"),
    path("<int:pk>/status/", work.status, name="status"),
    path("<int:pk>/snooze/", work.snooze, name="snooze"),
    path("<int:pk>/wake/", work.wake, name="wake"),
    path("<int:pk>/close/", work.finish, name="finish"),
    re_path(f"^{PK}/close/(?P<status>won|lost|cancelled)/$", drawer.close, name="close"),
    path("<int:pk>/reopen/", drawer.reopen, name="reopen"),
    re_path(f"^{PK}/(?P<verb>archive|restore)/$", drawer.put_away, name="put_away"),
    path("<int:pk>/timeline/", drawer.timeline, name="timeline"),
    path("<int:pk>/repeat/", work.repeat, name="repeat"),
    re_path(f"^{PK}/repeat/(?P<verb>pause|resume|end)/$", work.rhythm, name="rhythm"),
    path("<int:pk>/users/", work.link, name="link_user"),
    path("<int:pk>/users/<int:user_id>/unlink/", work.unlink, name="unlink_user"),
    path("<int:pk>/tasks/", tasks.add, name="add_task"),
    path("<int:pk>/tasks/order/", tasks.order, name="order_tasks"),
    path("<int:pk>/comments/", work.comment, name="comment"),
    path("<int:pk>/files/", work.attach, name="attach"),
    path("tasks/bulk/", bulk.bulk_edit_tasks, name="bulk_tasks"),
    path("tasks/<int:pk>/edit/", tasks.edit, name="edit_task"),
    path("tasks/<int:pk>/due/", tasks.due, name="move_due"),
    re_path(f"^tasks/{PK}/(?P<way>up|down)/$", tasks.move, name="move_task"),
    re_path(f"^tasks/{PK}/(?P<verb>complete|reopen)/$", drawer.tick, name="tick"),
    re_path(f"^tasks/{PK}/(?P<verb>cancel|archive|restore)/$", tasks.switch, name="switch_task"),
]
