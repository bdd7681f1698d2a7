"""Judging pairs by eye: a page of the user's own browser, served by the user's own machine."""
