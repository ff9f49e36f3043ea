"""What CTAs look like in the cockpit, as HTML.

In Python: a page has dozens of a dozen pieces each; to fill them in as templates took longer than all the rest of it.
"""
