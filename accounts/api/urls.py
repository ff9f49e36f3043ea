from django.urls import re_path

from accounts.api import discussion, health, history, key_roles, notes, nps, rules, segments, sending, sources, views
from accounts.api.imports import ImportViewSet
from accounts.api.writing import AccountConversationViewSet
from cs_platform.rest.routers import ApiRouter
from cs_platform.rest.viewsets import IDS

router = ApiRouter()
router.register("accounts", views.AccountViewSet, "api-account")
router.register(f"accounts/(?P<account_id>{IDS})/timeline", views.TimelineViewSet, "api-timeline")
router.register(f"accounts/(?P<account_id>{IDS})/changes", history.AccountChangesViewSet, "api-account-change")
router.register(f"users/(?P<user_id>{IDS})/changes", history.UserChangesViewSet, "api-user-change")
router.register(f"accounts/(?P<account_id>{IDS})/conversations", AccountConversationViewSet, "api-account-conversation")
router.register("notes", notes.NoteViewSet, "api-note")
router.register("key-roles", key_roles.KeyRoleViewSet, "api-key-role")
COMMENTS = f"indicators/(?P<indicator_id>{IDS})/comments"
router.register(COMMENTS, discussion.IndicatorCommentViewSet, "api-indicator-comment")
router.register("users", views.UserViewSet, "api-user")
router.register("traits", views.TraitViewSet, "api-trait")
MESSAGES = f"conversations/(?P<conversation_id>{IDS})/messages"
router.register(MESSAGES, views.MessageViewSet, "api-message")
router.register("events", views.EventViewSet, "api-event")
router.register("indicators", views.IndicatorViewSet, "api-indicator")
router.register("rules", rules.RuleViewSet, "api-rule")
router.register("data-sources", sources.DataSourceViewSet, "api-data-source")
router.register(sources.SOURCE_PROBLEMS, sources.SourceProblemViewSet, "api-source-problem")
router.register("imports", ImportViewSet, "api-import")
router.register("ingest-problems", views.IngestProblemViewSet, "api-ingest-problem")
router.register("nps/responses", nps.NpsResponseViewSet, "api-nps-response")
router.register("nps/tokens", nps.NpsTokenViewSet, "api-nps-token")
nps_survey = nps.NpsSurveyViewSet.as_view({"get": "read", "patch": "edit"}, basename="api-nps-survey")
router.register("suppressions", sending.SuppressionViewSet, "api-suppression")
router.register("workload", sending.WorkloadViewSet, "api-workload")
sending_policy = sending.SendingPolicyViewSet.as_view({"get": "read", "patch": "edit"}, basename="api-sending-policy")
router.register("segments", segments.SegmentViewSet, "api-segment")
router.register(f"segments/(?P<segment_id>{IDS})/members", segments.SegmentMemberViewSet, "api-segment-member")
router.register("health-scores", health.HealthScoreViewSet, "api-health-score")
router.register(f"accounts/(?P<account_id>{IDS})/health-readings", health.HealthReadingViewSet, "api-health-reading")
account_health = health.AccountHealthViewSet.as_view({"get": "read"}, basename="api-account-health")
lifecycle_rules = health.LifecycleRulesViewSet.as_view(
    {"get": "read", "put": "replace"}, basename="api-lifecycle-rules"
)

urlpatterns = [
    *router.urls,
    re_path("^nps/survey/?$", nps_survey, name="api-nps-survey"),
    re_path("^sending-policy/?$", sending_policy, name="api-sending-policy"),
    re_path(f"^accounts/(?P<account_id>{IDS})/health/?$", account_health, name="api-account-health"),
    re_path("^lifecycle-rules/?$", lifecycle_rules, name="api-lifecycle-rules"),
]
