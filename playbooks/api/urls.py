from cs_platform.rest.routers import ApiRouter
from cs_platform.rest.viewsets import IDS
from playbooks.api import views

router = ApiRouter()
router.register("actions", views.ActionViewSet, "api-action")
router.register("playbooks", views.PlaybookViewSet, "api-playbook")
router.register(f"playbooks/(?P<playbook_id>{IDS})/versions", views.VersionViewSet, "api-version")
router.register("enrollments", views.EnrollmentViewSet, "api-enrollment")
router.register("action-runs", views.RunViewSet, "api-run")
router.register("approvals", views.ApprovalViewSet, "api-approval")
router.register("evaluations", views.EvaluationViewSet, "api-evaluation")
router.register("evaluation-runs", views.EvaluationRunViewSet, "api-evaluation-run")
router.register("conversations", views.ConversationViewSet, "api-conversation")

urlpatterns = router.urls
