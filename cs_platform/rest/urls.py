from cs_platform.rest.audit import AuditViewSet
from cs_platform.rest.jobs import ERRORS_PATH, JobErrorViewSet, JobViewSet
from cs_platform.rest.members import MemberViewSet
from cs_platform.rest.routers import ApiRouter
from cs_platform.rest.saved_views import SavedViewViewSet

router = ApiRouter()
router.register("members", MemberViewSet, "api-member")
router.register("jobs", JobViewSet, "api-job")
router.register(ERRORS_PATH, JobErrorViewSet, "api-job-error")
router.register("audit", AuditViewSet, "api-audit")
router.register("views", SavedViewViewSet, "api-view")

urlpatterns = router.urls
