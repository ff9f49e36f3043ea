"""Named sets of accounts or of users: who is in, why, and since when."""
