from cs_platform.rest.routers import ApiRouter
from success_plans.api import views

router = ApiRouter()
router.register("success-plans", views.PlanViewSet, "api-plan")
router.register("objectives", views.ObjectiveViewSet, "api-objective")
router.register("plan-types", views.TypeViewSet, "api-plan-type")
router.register("plan-templates", views.TemplateViewSet, "api-plan-template")
router.register("share-links", views.LinkViewSet, "api-share-link")

urlpatterns = router.urls
