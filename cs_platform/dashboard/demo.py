"""The people of the demo workspace: the sign-in page of a demo names them, and loading the demo creates them."""

from typing import NamedTuple

from cs_platform.tenancy.roles import Role

WORKSPACE_SLUG, WORKSPACE_NAME = "halyard", "Halyard"
PASSWORD = "customers-stay-2026"


class DemoLogin(NamedTuple):
    name: str
    email: str
    role: Role


LOGINS = (
    DemoLogin("Maya Osei", "maya.osei@halyard.example", Role.CSM),
    DemoLogin("Jonah Weiss", "jonah.weiss@halyard.example", Role.ADMIN),
    DemoLogin("Marcus Oyelaran", "marcus.oyelaran@halyard.example", Role.MANAGER),
    DemoLogin("Hana Sato", "hana.sato@halyard.example", Role.OBSERVER),
)

# The rest of the team: their addresses are in the export, as csm_email and ae_email.
COLLEAGUES = (
    DemoLogin("Inés Álvarez", "ines.alvarez@halyard.example", Role.CSM),
    DemoLogin("Li Chen", "li.chen@halyard.example", Role.CSM),
    DemoLogin("Sara Lind", "sara.lind@halyard.example", Role.CSM),
    DemoLogin("Tom Becker", "tom.becker@halyard.example", Role.CSM),
    DemoLogin("João Reis", "joao.reis@halyard.example", Role.CSM),
    DemoLogin("Nina Park", "nina.park@halyard.example", Role.CSM),
    DemoLogin("Rob Hale", "rob.hale@halyard.example", Role.CSM),
)
