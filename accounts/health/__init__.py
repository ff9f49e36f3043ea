"""Health: what the workspace's measures say of each account, why, and since when."""
