from django.urls import path, re_path

from playbooks.views import applying, history, library, playbook, reviews, stopping

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

app_name = "playbooks"
urlpatterns = [
    path("", library.playbook_library, name="list"),
    path("evaluate/", library.evaluate, name="evaluate"),
    path("<int:pk>/", playbook.detail, name="detail"),
    path("<int:pk>/enrollments/", playbook.detail, {"tab": "enrollments"}, name="enrollments"),
    path("<int:pk>/evaluations/", playbook.detail, {"tab": "evaluations"}, name="evaluations"),
    path("<int:pk>/versions/", playbook.detail, {"tab": "versions"}, name="versions"),
    re_path(r"^(?P<pk>[0-9]{1,18})/(?P<verb>pause|resume)/$", library.switch, name="switch"),
    re_path(r"^(?P<pk>[0-9]{1,18})/(?P<verb>archive|unarchive)/$", library.put_away, name="put_away"),
    re_path(r"^checks/(?P<pk>[0-9]{1,18})/(?P<verb>release|drop)/$", playbook.settle_check, name="settle_check"),
    path("apply/<int:pk>/", applying.apply, name="apply"),
    path("conversations/<int:pk>/", reviews.review, name="review"),
    path("enrollments/<int:pk>/", history.history, name="history"),
    path("enrollments/<int:pk>/stop/", stopping.stop, name="stop"),
    re_path(rf"^actions/(?P<run_id>{UUID})/(?P<verb>retry|skip|done|undo|keep)/$", history.settle_run, name="settle"),
]
