from django import template
from django.conf import settings

from cs_platform.dashboard.demo import LOGINS, PASSWORD, DemoLogin

register = template.Library()


@register.simple_tag
def demo_logins() -> tuple[DemoLogin, ...]:
    """Nothing at all outside a demo."""
    return LOGINS if settings.DEMO else ()


@register.simple_tag
def demo_password() -> str:
    return PASSWORD if settings.DEMO else ""
