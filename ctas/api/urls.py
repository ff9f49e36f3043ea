from cs_platform.rest.routers import ApiRouter
from ctas.api import views

router = ApiRouter()
router.register("ctas", views.CtaViewSet, "api-cta")
router.register("tasks", views.TaskViewSet, "api-task")

urlpatterns = router.urls
