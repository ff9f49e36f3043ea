"""How large the measured data is, and the one moment at which everything measured happens."""

from dataclasses import dataclass
from datetime import UTC, datetime

# Nothing measured reads a clock, so that a figure can be repeated.
NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
SEED = 20_260_302
USERS_PER_ACCOUNT = 3
EVENTS_PER_ACCOUNT = 5
DAYS_OF_EVENTS = 90


@dataclass(frozen=True, slots=True)
class Profile:
    accounts: int
    workspaces: int

    def shares(self) -> list[int]:
        """Skewed as 1, 1/2, 1/3 …; they sum up to the accounts."""
        weights = [1 / rank for rank in range(1, self.workspaces + 1)]
        shares = [int(self.accounts * weight / sum(weights)) for weight in weights]
        return [self.accounts - sum(shares[1:]), *shares[1:]]


PROFILES = {"S": Profile(accounts=100_000, workspaces=5), "M": Profile(accounts=1_000_000, workspaces=20)}
