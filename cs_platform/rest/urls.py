from cs_platform.rest.members import MemberViewSet
from cs_platform.rest.routers import ApiRouter

router = ApiRouter()
router.register("members", MemberViewSet, "api-member")

urlpatterns = router.urls
