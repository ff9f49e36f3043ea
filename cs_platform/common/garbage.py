"""When Python looks for garbage.

Models, forms, routes and templates are some hundred thousand objects that live as long as their process. As set at the
factory, Python walks through all of them after every few thousand new ones: a page of 50 rows waited a tenth of its
time for that.
"""

import gc

YOUNG = 50_000  # new objects between two looks; some megabytes


def settle_in() -> None:
    """What is loaded by now is there to stay and never looked through again: before a fork, so that it stays shared."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
