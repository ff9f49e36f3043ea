"""What holds for every response: headers, the workspace's zone, htmx requests of people who were signed out."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import resolve_url
from django.template import loader
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

Handler = Callable[[HttpRequest], HttpResponse]

VERBS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
# Nothing here needs a sensor, a camera or a payment, so no page and no script on it may ask for one.
REFUSED_FEATURES = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "hid",
    "identity-credentials-get",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
REPORTING_ENDPOINTS = 'csp="/csp-report/"'
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in REFUSED_FEATURES)


def headers(get_response: Handler) -> Handler:
    """Refuses unknown verbs, switches off device features, and keeps pages of signed-in people out of every cache."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method not in VERBS:
            return HttpResponseNotAllowed(VERBS)
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Reporting-Endpoints", REPORTING_ENDPOINTS)
        if not response.has_header("Cache-Control") and _is_personal(request):
            add_never_cache_headers(response)
        return response

    return middleware


def refused_in_words(get_response: Handler) -> Handler:
    """Who opens by hand what only a form sends, as after a sign-in in between, gets a page and not an empty screen."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code == 405 and not response.content and _is_opened(request):
            response.content = loader.render_to_string("405.html")
            response.headers["Content-Type"] = "text/html; charset=utf-8"
        return response

    return middleware


def _is_opened(request: HttpRequest) -> bool:
    return "text/html" in request.headers.get("Accept", "") and "HX-Request" not in request.headers


def _is_personal(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return user is not None and user.is_authenticated


def workspace_zone(get_response: Handler) -> Handler:
    """Moments are shown in the zone of the workspace. Stands below the middleware that finds the workspace."""

    def middleware(request: HttpRequest) -> HttpResponse:
        tenant = getattr(request, "tenant", None)
        if tenant is None:
            return get_response(request)
        with timezone.override(tenant.timezone):
            return get_response(request)

    return middleware


def htmx_sign_in(get_response: Handler) -> Handler:
    """A fragment request of someone signed out goes to the sign-in page as a whole, not into the fragment's place."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.headers.get("HX-Request") or not _leads_to_sign_in(response):
            return response
        redirect = redirect_to_login(_page_address(request))
        return HttpResponse(status=401, headers={"HX-Redirect": redirect.url})

    return middleware


def _page_address(request: HttpRequest) -> str:
    """The page the fragment was for, as an address of this site whatever the header says."""
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    path = "/" + page.path.lstrip("/")
    return f"{path}?{page.query}" if page.query else path


def _leads_to_sign_in(response: HttpResponse) -> bool:
    if response.status_code not in (301, 302, 303, 307):
        return False
    return urlsplit(response.headers["Location"]).path == resolve_url(settings.LOGIN_URL)
