"""The editor of rules: what stands in it, finished or not, and how it is shown."""
