"""docs/data-in.md names every note and every reason, so that an admin can look up what the list of problems says."""

import pytest
from django.conf import settings

from accounts.ingest.definitions import DEFAULT_COLUMNS, USER_COLUMNS
from accounts.ingest.gather import EDITED_HERE
from tests.accounts.ingest.test_reading import COERCED, REFUSED

PAGE = (settings.BASE_DIR / "docs" / "data-in.md").read_text()
WORDS = {row[3] for row in COERCED} | {row[2] for row in REFUSED} | {EDITED_HERE}


@pytest.mark.parametrize("words", sorted(WORDS))
def test_a_note_or_reason_is_explained(words: str) -> None:
    assert words in PAGE


@pytest.mark.parametrize("key", sorted({*DEFAULT_COLUMNS, *USER_COLUMNS}))
def test_a_trait_that_feeds_a_column_is_named(key: str) -> None:
    assert f"`{key}`" in PAGE
