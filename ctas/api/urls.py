from django.urls import re_path

from cs_platform.rest.routers import ApiRouter
from ctas.api import views

router = ApiRouter()
router.register("ctas", views.CtaViewSet, "api-cta")
router.register("tasks", views.TaskViewSet, "api-task")
cta_lists = views.CtaListsViewSet.as_view({"get": "read", "patch": "edit"}, basename="api-cta-lists")

urlpatterns = [*router.urls, re_path("^cta-lists/?$", cta_lists, name="api-cta-lists")]
