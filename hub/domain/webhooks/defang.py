"""Making a text harmless to those who read it in a chat: what it says is shown, and nothing in it can be followed, called or run.

Chat programs make links of whatever looks like one, notify whom an `@` names, and read markup. So addresses lose their form
(`hxxp[:]//bad[.]example`), mentions theirs, and characters that are invisible or turn the reading direction are taken out.
"""

import re
import unicodedata

TEXT_CHARS_MAX = 300
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_HTTP = re.compile(r"http(s?)(?=\s*:)", re.IGNORECASE)
_SCHEME = re.compile(r":(?=\s*[/\\])|(?<=mailto):|(?<=tel):|(?<=javascript):", re.IGNORECASE)
_DOT = re.compile("(?<=\\S)[.\u3002](?=\\S)")  # the second is a dot to a browser, too
_REPLACED = str.maketrans({"@": "[@]", "<": "\u2039", ">": "\u203a", "`": "'"})


def defang(text: str, *, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return `text` on one line, without what a chat program would make live; of a longer one the first `chars_max` characters."""
    plain = unicodedata.normalize("NFKC", text[: 4 * chars_max])
    seen = "".join(" " if c.isspace() else c for c in plain if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    line = " ".join(seen.split())
    if len(line) > chars_max or len(text) > 4 * chars_max:
        line = line[:chars_max].rstrip() + " \u2026"
    return _DOT.sub("[.]", _SCHEME.sub("[:]", _HTTP.sub(r"hxxp\1", line))).translate(_REPLACED)
