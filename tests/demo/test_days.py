"""What the demo takes of the export of calls."""

from accounts.ingest import read_calls
from cs_platform.demo.days import EXPORT, STRAYS, calls_of_customers


def test_people_at_no_account_are_left_out_of_the_demo_and_nobody_else() -> None:
    left_out = len(list(read_calls(EXPORT))) - len(taken := list(calls_of_customers()))
    users = {call["userId"] for call in taken if isinstance(call, dict) and "userId" in call}

    assert left_out == 15
    assert not any(str(user).startswith(STRAYS) for user in users)
    assert len(users) > 1_000
