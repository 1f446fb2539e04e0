"""What a person with a browser does on the pages: look, press buttons, fill in forms, and be somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

import requests


@dataclass
class Form:
    action: str
    fields: dict[str, str]
    live: bool
    """Whether the page replaces it when something changes."""
    label: str = ""


class _Forms(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._labelling = False
        self._live: list[bool] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "div":
            self._live.append(given.get("class") == "live")
        elif tag == "form":
            self.forms.append(Form(given["action"], {}, live=any(self._live)))
        elif tag in ("input", "textarea", "select"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        self._labelling = tag == "button"

    def handle_data(self, data: str) -> None:
        if self._labelling:
            self.forms[-1].label += data.strip()

    def handle_endtag(self, tag: str) -> None:
        self._labelling = False
        if tag == "div":
            self._live.pop()


class Browser:
    """One person's, with its cookies, on the forge at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def look(self, path: str) -> str:
        answer = self._session.get(self._url + path, timeout=5)
        assert answer.status_code == 200
        return answer.text

    def buttons(self, path: str) -> list[str]:
        return [form.label for form in self.forms(path)]

    def forms(self, path: str) -> list[Form]:
        return _Forms(self.look(path)).forms

    def form(self, path: str, label: str) -> Form:
        """The only form of a page with that button."""
        (form,) = (form for form in self.forms(path) if form.label == label)
        return form

    def press(self, path: str, label: str, **fields: str) -> requests.Response:
        """Press a button, with the form filled in."""
        form = self.form(path, label)
        assert set(fields) <= set(form.fields)
        form.fields |= fields
        return self.send(form)

    def send(self, form: Form) -> requests.Response:
        return self._session.post(self._url + form.action, data=form.fields, timeout=5)

    def be(self, login: str) -> None:
        assert self.press("/", "Switch", person=login).status_code == 200
