"""Options that take several values one after another: `--experiments A B C`."""

from collections.abc import Iterator, Sequence, Set

SEVERAL = "NAME..."
"""What the help shows as the value of such an option; it tells them from others."""


def repeated(arguments: Sequence[str], options: Set[str]) -> Iterator[str]:
    """The arguments with such an option before each of its values, as the parser wants it.

    Args:
        arguments: as they were given.
        options: names of the options that take several values.
    """
    option, values = "", 0
    for argument in arguments:
        if argument.startswith("-"):
            option, values = argument if argument in options else "", 0
            yield argument
            continue
        if option and values:
            yield option
        values += 1
        yield argument
