"""A statement that somebody waits for is cut short, and leaves the transaction as it was."""

import pytest

from cs_platform.common.statements import fetch
from cs_platform.common.time_limit import SHARED_OUT, TooLong, at_most

pytestmark = pytest.mark.django_db


def in_force() -> list[str]:
    return [fetch("SELECT current_setting(%s)", (name,))[0][0] for name in ("statement_timeout", *SHARED_OUT)]


def test_what_it_sets_holds_inside_and_is_put_back() -> None:
    usual = in_force()
    with at_most(700, shared_out=True):
        assert in_force() == ["700ms", *SHARED_OUT.values()]
    assert in_force() == usual
    with at_most(700):
        assert in_force() == ["700ms", *usual[1:]]


def test_what_takes_longer_is_given_up_and_the_transaction_goes_on() -> None:
    usual = in_force()
    with pytest.raises(TooLong), at_most(20, shared_out=True):
        fetch("SELECT pg_sleep(5)", ())
    assert in_force() == usual
