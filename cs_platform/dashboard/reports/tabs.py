"""The tabs in their order, and the files of them all."""

from cs_platform.dashboard.reports import health, overview, plans, playbooks, renewals, work

TABS = (overview.TAB, renewals.TAB, health.TAB, work.TAB, playbooks.TAB, plans.TAB)
BY_KEY = {tab.key: tab for tab in TABS}
FILES = {file.key: file for tab in TABS for file in tab.files}
