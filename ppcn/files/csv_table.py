"""CSV files that people write: read row by row, damage told with file and line."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from ppcn.errors import UserError

Row = tuple[int, dict[str, str]]


def read_table(path: Path, problem: Callable[[list[str]], str | None]) -> Iterator[Row]:
    """The rows of a CSV file by column, each with its line number; empty lines do not count.

    Args:
        path: the file, in UTF-8.
        problem: what is wrong with a header, in words; None if nothing is.

    Raises:
        UserError: the file cannot be read, is no CSV, or has another header.
    """
    reader = csv.reader(io.StringIO(_read_text(path), newline=""), strict=True)
    try:
        lines = (cells for cells in reader if any(map(str.strip, cells)))
        header = [cell.strip() for cell in next(lines, [])]
        if wrong := problem(header):
            raise UserError(f"{path}, line {max(1, reader.line_num)}: {wrong}")
        for cells in lines:
            if len(cells) != len(header):
                counts = f"{len(cells)} cells below {len(header)} columns"
                raise UserError(f"{path}, line {reader.line_num}: {counts}")
            row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: no CSV ({error})") from None


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: not UTF-8; save it as such") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
