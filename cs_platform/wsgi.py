import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from cs_platform.common.garbage import settle_in
from cs_platform.tenancy.checks import refuse_unsafe_role

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cs_platform.settings")
application = get_wsgi_application()
refuse_unsafe_role()
get_resolver().url_patterns  # noqa: B018  # loads every view, instead of with the first request
settle_in()
