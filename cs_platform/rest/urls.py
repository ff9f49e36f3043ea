from cs_platform.rest.attachments import AttachmentViewSet
from cs_platform.rest.audit import AuditViewSet
from cs_platform.rest.comments import CommentViewSet
from cs_platform.rest.connectors import ConnectorViewSet
from cs_platform.rest.holidays import HolidayViewSet
from cs_platform.rest.jobs import ERRORS_PATH, JobErrorViewSet, JobViewSet
from cs_platform.rest.mailboxes import MailboxViewSet
from cs_platform.rest.members import MemberViewSet
from cs_platform.rest.notifications import NotificationViewSet
from cs_platform.rest.routers import ApiRouter
from cs_platform.rest.saved_views import SavedViewViewSet
from cs_platform.rest.teams import InvitationViewSet, TeamViewSet

router = ApiRouter()
router.register("members", MemberViewSet, "api-member")
router.register("connectors", ConnectorViewSet, "api-connector")
router.register("mailboxes", MailboxViewSet, "api-mailbox")
router.register("jobs", JobViewSet, "api-job")
router.register(ERRORS_PATH, JobErrorViewSet, "api-job-error")
router.register("audit", AuditViewSet, "api-audit")
router.register("views", SavedViewViewSet, "api-view")
router.register("teams", TeamViewSet, "api-team")
router.register("invitations", InvitationViewSet, "api-invitation")
router.register("comments", CommentViewSet, "api-comment")
router.register("attachments", AttachmentViewSet, "api-attachment")
router.register("holidays", HolidayViewSet, "api-holiday")
router.register("notifications", NotificationViewSet, "api-notification")

urlpatterns = router.urls
