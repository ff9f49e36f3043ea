"""What a browser would send for a form as it stands."""

from html.parser import HTMLParser

from django.http import QueryDict

Attributes = dict[str, str | None]


class _Controls(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.text: list[str] | None = None
        self.name = ""
        self.options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: Attributes = dict(attrs)
        if tag in ("textarea", "select"):
            self.name, self.text, self.options = given.get("name") or "", [], []
        elif tag == "option":
            self.options.append((given.get("value") or "", "selected" in given))
        elif tag == "input" and given.get("name") and self._is_on(given):
            self.sent.append(
                (given["name"] or "", given.get("value") or ("" if given.get("type") != "checkbox" else "on"))
            )

    @staticmethod
    def _is_on(given: Attributes) -> bool:
        return given.get("type") not in ("checkbox", "radio") or "checked" in given

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.sent.append((self.name, "".join(self.text or ()).removeprefix("\n")))
        elif tag == "select" and self.options:
            chosen = [value for value, is_chosen in self.options if is_chosen] or [self.options[0][0]]
            self.sent += [(self.name, value) for value in chosen]
        if tag in ("textarea", "select"):
            self.text = None


def sent(html: str) -> QueryDict:
    parser = _Controls()
    parser.feed(html)
    data = QueryDict(mutable=True)
    for name, value in parser.sent:
        data.appendlist(name, value)
    return data
