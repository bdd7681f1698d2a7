"""exiftool, kept running, for thousands of files."""

import json
import subprocess
from pathlib import Path
from typing import Any

Tags = dict[str, Any]
"""Values by "Group:Name", such as "IFD0:Model"; numbers where exiftool knows numbers."""


class ExifTool:
    """A running exiftool."""

    def __init__(self) -> None:
        command = ["exiftool", "-stay_open", "True", "-@", "-"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def tags(self, path: Path) -> Tags:
        """All tags of a file; empty where exiftool cannot tell them."""
        answer = self._ask("-j", "-n", "-G1", "-a", "-u", "-s", str(path))
        try:
            return dict(json.loads(answer.decode(errors="replace"))[0])
        except (ValueError, IndexError):
            return {}

    def profile(self, path: Path) -> bytes:
        """The ICC profile of a file; empty if there is none."""
        return self._ask("-b", "-ICC_Profile", str(path))

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _ask(self, *arguments: str) -> bytes:
        source, target = self._process.stdout, self._process.stdin
        if source is None or target is None:
            raise RuntimeError("exiftool does not run")
        target.write("\n".join((*arguments, "-execute\n")).encode())
        target.flush()
        lines = bytearray()
        while not lines.endswith(b"{ready}\n"):
            line = source.readline()
            if not line:
                raise RuntimeError("exiftool has ended")
            lines += line
        return bytes(lines.removesuffix(b"{ready}\n"))
