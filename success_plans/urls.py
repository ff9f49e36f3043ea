from django.urls import path, re_path

from success_plans.views import objectives, plan, plans, sharing

app_name = "plans"
urlpatterns = [
    path("", plans.plan_list, name="list"),
    path("new/", plans.new_plan, name="new"),
    path("<int:pk>/", plan.plan_page, name="detail"),
    path("<int:pk>/edit/", plan.edit_plan, name="edit"),
    path("<int:pk>/schedule/", objectives.schedule_plan, name="schedule_plan"),
    path("<int:pk>/activate/", plan.activate, name="activate"),
    path("<int:pk>/withdraw/", plan.withdraw, name="withdraw"),
    path("<int:pk>/close/", plan.close, name="close"),
    path("<int:pk>/reopen/", plan.reopen, name="reopen"),
    path("<int:pk>/archive/", plan.archive, name="archive"),
    path("<int:pk>/restore/", plan.restore, name="restore"),
    path("<int:pk>/comments/", plan.comment, name="comment"),
    path("<int:pk>/files/", plan.attach, name="attach"),
    path("<int:pk>/answers/", plan.answer, name="answer"),
    path("<int:pk>/stakeholders/", plan.new_stakeholder, name="new_stakeholder"),
    path("stakeholders/<int:pk>/remove/", plan.remove_stakeholder, name="remove_stakeholder"),
    path("<int:pk>/objectives/", objectives.new_objective, name="new_objective"),
    path("<int:pk>/join/", objectives.join, name="join"),
    path("objectives/<int:pk>/", objectives.edit_objective, name="edit_objective"),
    path("objectives/<int:pk>/schedule/", objectives.schedule, name="schedule"),
    re_path(r"^objectives/(?P<pk>[0-9]{1,18})/(?P<way>up|down)/$", objectives.move, name="move"),
    path("objectives/<int:pk>/customer/", objectives.give, name="give"),
    path("objectives/<int:pk>/leave/", objectives.leave, name="leave"),
    path("ctas/<int:pk>/join/", objectives.join_from_cta, name="join_from_cta"),
    path("<int:pk>/links/", sharing.links, name="links"),
    path("<int:pk>/links/new/", sharing.new_link, name="new_link"),
    path("links/<int:pk>/", sharing.edit_link, name="edit_link"),
    path("links/<int:pk>/revoke/", sharing.revoke, name="revoke_link"),
    path("links/<int:pk>/preview/", sharing.preview, name="preview_link"),
]
