"""What nobody sends by accident, for every way in: texts, values, bodies, and what a page must never become by them."""

import re
from html.parser import HTMLParser
from typing import Any, Final

RAN: Final = "zqranqz"  # stands in everything below that would like to be executed

FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", '=HYPERLINK("http://evil.example")']
MARKUP = [
    f"<script>{RAN}()</script>",
    f'"><img src=x onerror={RAN}()>',
    f"'><svg/onload={RAN}()>",
    f'</textarea></title></option><iframe srcdoc="<script>{RAN}()</script>">',
    f'<a href="javascript:{RAN}()">x</a><a href="data:text/html,{RAN}">y</a>',
    f'<b hx-get="/{RAN}" hx-trigger="load" data-hx-on:load="{RAN}()" style="background:url(//{RAN}.example)">z</b>',
    f'" onmouseover="{RAN}()" x="',
    f"' onfocus='{RAN}()' autofocus='",
    f"<!--><style>@import '//{RAN}.example'</style>",
    f"javascript:{RAN}()",
    f"[x](javascript:{RAN}())",
]
TEMPLATES = ["zq{{ 7*7 }}qz", "{% debug %}", "${7*7}", "{{ account.__class__ }}", "%(tenant)s %s {0.__class__}"]
STATEMENTS = ["'; DROP TABLE accounts_account; --", "' OR 1=1 --", "\\'; SELECT pg_sleep(9); --"]

# One text of each kind, for where trying them all would only take longer.
TEXTS: Final[dict[str, str]] = {
    "markup": " ".join(MARKUP),
    "short markup": MARKUP[1],
    "null": "a\0b",
    "formula": FORMULAS[0],
    "template": " ".join(TEMPLATES),
    "directions": "\u202egnp.exe\u2066\u200b\ufeff\u2028",
    "lines": "a\r\nBcc: everybody@evil.example\r\n\r\n.\r\n",
    "long": STATEMENTS[0] + "x" * 20_000,
    "digits": "9" * 400,
    "other digits": "٣",
    "not a number": "NaN",
}
# Not a text at all, where JSON can say so.
VALUES: Final[list[Any]] = [
    10**30,
    -1,
    {"$gt": "", "__proto__": {"admin": True}},
    {f"k{n}": n for n in range(600)},
    ["a\0b"],
    None,
]
# Bodies that are not JSON to everybody.
RAW: Final = [
    b'{"userId": "\\ud800", "groupId": "g", "event": "E", "traits": {"a": "\\udfff"}}',
    b'{"userId": NaN}',
    b'{"userId": Infinity}',
    b'{"userId": ' + b"9" * 6_000 + b"}",
    b'{"userId": "u", "userId": "v"}',
    b'{"traits": ' + b"[" * 3_000 + b"]" * 3_000 + b"}",
    b'{"traits": ' + b'{"a":' * 60 + b"1" + b"}" * 60 + b', "userId": "u", "groupId": "g"}',
    b"\xff\xfe{\x00}\x00",
    b"\0",
]
# As a query says them.
QUERIES: Final = ["%00", "%ed%a0%80", "9" * 400, "%27%22%3E%3Cimg+src=x+onerror=zqranqz()%3E{{7*7}}"]

_ADDRESSES = {"href", "src", "action", "formaction", "xlink:href", "data", "hx-get", "hx-post", "srcset", "poster"}
_NEVER = {"iframe", "object", "embed", "base", "applet"}
_SCHEME = re.compile(r"[\x00-\x20]*(?:javascript|data|vbscript)[\x00-\x20]*:", re.IGNORECASE)
_QUOTED = re.compile(r"zq49qz|TemplateSyntaxError|Traceback|psycopg")


class Reader(HTMLParser):
    """A page as a browser takes it apart; `faults` is what it would run, load or ask for on behalf of the corpus."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.shown = False
        self.asks: set[str] = set()  # addresses with parameters, of links and of forms
        self._form = ""
        self._raw = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._raw = tag if tag in ("script", "style") else ""
        if tag in _NEVER:
            self.faults.append(f"<{tag}>")
        self._note_address(tag, dict(attrs))
        for name, value in attrs:
            self.shown = self.shown or RAN in (value or "")
            if self._is_fault(name, value or ""):
                self.faults.append(f"<{tag} {name}={value!r}>")

    def _note_address(self, tag: str, attrs: dict[str, str | None]) -> None:
        self.asks |= {found for name in ("href", "hx-get") if "?" in (found := attrs.get(name) or "")}
        if tag == "form":
            self._form = attrs.get("hx-get") or ("" if attrs.get("method") == "post" else attrs.get("action") or "?")
        elif self._form and attrs.get("name"):
            self.asks.add(f"{self._form.partition('?')[0]}?{attrs['name']}=")

    def _is_fault(self, name: str, value: str) -> bool:
        if name.startswith("on") or RAN in name or (name in _ADDRESSES and _SCHEME.match(value)):
            return True
        acts = name == "style" or "hx-" in name or name in ("srcdoc", "id", "class")
        return acts and RAN in value and not (name in ("hx-get", "hx-post") and value.startswith(("/w/", "?")))

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""
        self._form = "" if tag == "form" else self._form

    def handle_data(self, data: str) -> None:
        self.shown = self.shown or RAN in data
        if self._raw and RAN in data:
            self.faults.append(f"in <{self._raw}>: {data[:80]}")


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    reader.faults += _QUOTED.findall(page)
    return reader


def faults_in(page: str) -> list[str]:
    return read(page).faults
