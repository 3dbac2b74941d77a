"""Building HTML from Python: every text is escaped unless it is already `Html`."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

VOID = frozenset({"meta", "input", "br", "hr", "col", "img", "link"})


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a value as escaped HTML."""
    return value if isinstance(value, Html) else Html(escape(str(value), quote=True))


def join(parts: Iterable[object]) -> Html:
    """Return parts one after another, escaped where they are not HTML."""
    return Html("".join(text(part) for part in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element; `class_` and `for_` are class and for, other underscores are hyphens, None is left out."""
    words = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        words.append(f" {label}" if value is True else f' {label}="{escape(str(value), quote=True)}"')
    opening = f"<{name}{''.join(words)}>"
    return Html(opening) if name in VOID else Html(f"{opening}{join(children)}</{name}>")


def table(
    caption: str, head: Sequence[object], rows: Iterable[Sequence[object]], *, numbers: Iterable[int] = (),
    id_: str | None = None, row_ids: Sequence[int] | None = None, sortable: bool = False, hidden_caption: bool = False,
) -> Html:  # fmt: skip
    """Return a table whose first column heads its rows; `numbers` are columns set right.

    `row_ids` are written as `data-i` of the rows. A sortable table has buttons for heads.
    """
    right = set(numbers)

    def kind(column: int) -> str | None:
        return "n" if column in right else None

    def heading(value: object, column: int) -> Html:
        inside = tag("button", value, type="button", class_="sort") if sortable else text(value)
        return tag("th", inside, scope="col", class_=kind(column))

    body = []
    for index, row in enumerate(rows):
        cells = [tag("th", row[0], scope="row"), *(tag("td", v, class_=kind(c)) for c, v in enumerate(row[1:], 1))]
        body.append(tag("tr", *cells, data_i=row_ids[index] if row_ids is not None else None))
    parts = [
        tag("caption", caption, class_="sr" if hidden_caption else None),
        tag("thead", tag("tr", *(heading(value, column) for column, value in enumerate(head)))),
        tag("tbody", *body),
    ]
    inner = tag("table", *parts, id=id_, class_="sortable" if sortable else None)
    return tag("div", inner, class_="wide", tabindex="0", role="region", aria_label=caption)


def embedded(identifier: str, value: object) -> Html:
    """Return data as a JSON script element that no text in it can close."""
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        content = content.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{identifier}">{content}</script>')


def asset(name: str) -> str:
    """Return the text of a file that ships with the report: a style sheet or a script."""
    return resources.files("optimizer.report").joinpath("assets", name).read_text(encoding="utf-8")


def document(title: str, body: Html, *, styles: str, script: str, lang: str = "en") -> str:
    """Return a whole page that needs no network and is not allowed to use one."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    head = [
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        Html(f"<style>\n{styles}</style>"),
    ]
    page = [tag("head", *head), tag("body", body, Html(f"<script>\n{script}</script>"))]
    return f"<!DOCTYPE html>\n{tag('html', *page, lang=lang)}\n"
