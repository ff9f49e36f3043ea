"""The people of the demo workspace: the sign-in page of a demo names them, and loading the demo creates them."""

from typing import NamedTuple

from cs_platform.tenancy.roles import Role

WORKSPACE_SLUG, WORKSPACE_NAME = "orbiton", "Orbiton Software"
PASSWORD = "customers-stay-2026"


class DemoLogin(NamedTuple):
    name: str
    email: str
    role: Role


LOGINS = (
    DemoLogin("Priya Raman", "priya@orbiton.example", Role.CSM),
    DemoLogin("Jonah Weiss", "jonah@orbiton.example", Role.ADMIN),
    DemoLogin("Marcus Oyelaran", "marcus@orbiton.example", Role.MANAGER),
    DemoLogin("Hana Sato", "hana@orbiton.example", Role.OBSERVER),
)
