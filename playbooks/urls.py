from django.urls import path, re_path

from playbooks.views import (
    applying,
    going_live,
    history,
    inbox,
    library,
    playbook,
    reviews,
    schedule,
    stopping,
    transfer,
    wizard,
)

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

app_name = "playbooks"
urlpatterns = [
    path("", library.playbook_library, name="list"),
    path("evaluate/", library.evaluate, name="evaluate"),
    path("new/", wizard.new, name="new"),
    path("import/", transfer.import_playbooks, name="import"),
    path("<int:pk>/export/", transfer.export, name="export"),
    path("<int:pk>/duplicate/", wizard.duplicate, name="duplicate"),
    path("<int:pk>/restore/", wizard.restore, name="restore"),
    path("<int:pk>/", playbook.detail, name="detail"),
    path("<int:pk>/edit/", wizard.edit, name="edit"),
    path("<int:pk>/draft/overview/", wizard.overview, name="draft_overview"),
    path("<int:pk>/draft/rules/", wizard.rules, name="draft_rules"),
    path("<int:pk>/draft/actions/", schedule.actions, name="draft_actions"),
    path("<int:pk>/draft/actions/add/", schedule.add, name="draft_add"),
    path("<int:pk>/draft/actions/weekends/", schedule.weekends, name="draft_weekends"),
    re_path(
        r"^(?P<pk>[0-9]{1,18})/draft/actions/(?P<verb>duplicate|delete|up|down|move)/$",
        schedule.arrange,
        name="draft_arrange",
    ),
    path("<int:pk>/draft/variables/", schedule.variables, name="draft_variables"),
    path("<int:pk>/draft/review/", going_live.review, name="draft_review"),
    path("<int:pk>/draft/publish/", going_live.publish, name="draft_publish"),
    path("<int:pk>/draft/discard/", wizard.discard, name="draft_discard"),
    path("<int:pk>/enrollments/", playbook.detail, {"tab": "enrollments"}, name="enrollments"),
    path("<int:pk>/evaluations/", playbook.detail, {"tab": "evaluations"}, name="evaluations"),
    path("<int:pk>/versions/", playbook.detail, {"tab": "versions"}, name="versions"),
    re_path(r"^(?P<pk>[0-9]{1,18})/(?P<verb>pause|resume)/$", library.switch, name="switch"),
    re_path(r"^(?P<pk>[0-9]{1,18})/(?P<verb>archive|unarchive)/$", library.put_away, name="put_away"),
    re_path(r"^checks/(?P<pk>[0-9]{1,18})/(?P<verb>release|drop)/$", playbook.settle_check, name="settle_check"),
    path("apply/<int:pk>/", applying.apply, name="apply"),
    path("conversations/", inbox.inbox, name="inbox"),
    path("conversations/<int:pk>/", reviews.review, name="review"),
    path("enrollments/<int:pk>/", history.history, name="history"),
    path("enrollments/<int:pk>/stop/", stopping.stop, name="stop"),
    re_path(rf"^actions/(?P<run_id>{UUID})/(?P<verb>retry|skip|done|undo|keep)/$", history.settle_run, name="settle"),
]
