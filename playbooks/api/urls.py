from cs_platform.rest.routers import ApiRouter
from cs_platform.rest.viewsets import IDS
from playbooks.api.action_types import ActionViewSet
from playbooks.api.deciding import ApprovalViewSet, ConversationViewSet
from playbooks.api.enrollments import EnrollmentViewSet, RunViewSet
from playbooks.api.evaluations import EvaluationRunViewSet, EvaluationViewSet
from playbooks.api.playbooks import LeftOutViewSet, PlaybookViewSet, VersionViewSet

router = ApiRouter()
router.register("actions", ActionViewSet, "api-action")
router.register("playbooks", PlaybookViewSet, "api-playbook")
router.register(f"playbooks/(?P<playbook_id>{IDS})/versions", VersionViewSet, "api-version")
router.register(f"playbooks/(?P<playbook_id>{IDS})/left-out", LeftOutViewSet, "api-left-out")
router.register("enrollments", EnrollmentViewSet, "api-enrollment")
router.register("action-runs", RunViewSet, "api-run")
router.register("approvals", ApprovalViewSet, "api-approval")
router.register("evaluations", EvaluationViewSet, "api-evaluation")
router.register("evaluation-runs", EvaluationRunViewSet, "api-evaluation-run")
router.register("conversations", ConversationViewSet, "api-conversation")

urlpatterns = router.urls
