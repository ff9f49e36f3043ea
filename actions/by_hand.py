"""A run that a person marked as done carries no receipt of ours: there is nothing of ours to take back."""

from actions.base import Keep

DONE_BY_HAND = Keep("done_by_hand", "It was done by hand and stays")
