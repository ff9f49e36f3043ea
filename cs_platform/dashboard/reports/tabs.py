"""The tabs in their order, and the files of them all."""

from cs_platform.dashboard.reports import overview, renewals

TABS = (overview.TAB, renewals.TAB)
BY_KEY = {tab.key: tab for tab in TABS}
FILES = {file.key: file for tab in TABS for file in tab.files}
