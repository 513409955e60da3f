"""Copy the tables that commands wrote into the pages that show them: python docs/insert_tables.py."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def filled(page: str) -> str:
    """Return a page with each marked place holding the file that its marker names."""

    def content(path: Path) -> str:
        return path.read_text(encoding="utf-8") if path.is_file() else "Not run yet.\n"

    return TABLE.sub(lambda match: match[1] + content(ROOT / match[2]) + match[3], page)


if __name__ == "__main__":
    for path in (ROOT / "README.md", ROOT / "docs" / "results.md"):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
