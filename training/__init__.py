"""Models that the tests use, trained from scratch. Nothing of this is in the wheel."""
