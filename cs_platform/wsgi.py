import os

from django.core.wsgi import get_wsgi_application

from cs_platform.tenancy.checks import refuse_unsafe_role

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cs_platform.settings")
application = get_wsgi_application()
refuse_unsafe_role()
