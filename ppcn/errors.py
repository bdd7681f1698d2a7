"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something that the user can mend: one sentence naming the file or key, and what to do."""
