"""Reports: tabs under one head, each with charts, their tables, and the same tables as files and endpoints.

A tab is added in five steps:
1. A module here with its TAB: key, title, template, what the template is given, and files, each with head and rows.
2. Its sums come from the layer that knows them: a fixed number of statements, narrowed by `asked.csms`.
3. TABS in tabs.py names it where it stands in the bar; address, link and the files of *Export* follow from that.
4. In api.py a serializer and a method per file, named by its key (with _ for -); the address follows from that too.
5. A template in templates/dashboard/reports/, tests in tests/dashboard/reports/, docs/reports.md, openapi.yaml.
"""
