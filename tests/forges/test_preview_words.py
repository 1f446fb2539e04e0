from __future__ import annotations

import re

import pytest

from deployer.forges.preview_words import Fate, Outcome, Preview, Shown, comment, one_line, page
from deployer.model import CheckState

URL = "https://deployer.example.com/previews/x"


def preview(*outcomes: Outcome) -> Preview:
    return Preview("a" * 40, "b" * 40, "main", outcomes, URL)


def shown(name: str, fate: Fate, *, diff: str = "-a\n+b\n") -> Shown:
    return Shown(f"ConfigMap shop/{name}", fate, diff if fate is not Fate.UNCHANGED else "")


@pytest.mark.parametrize(
    ("outcome", "line", "state"),
    [
        (Outcome("x"), "nothing to change", CheckState.NEUTRAL),
        (Outcome("x", (shown("a", Fate.UNCHANGED),)), "nothing to change", CheckState.NEUTRAL),
        (
            Outcome("x", (shown("a", Fate.CREATED), shown("b", Fate.DELETED))),
            "1 to create, 1 to delete",
            CheckState.SUCCESS,
        ),
        (Outcome("x", (shown("a", Fate.REFUSED),)), "1 refused", CheckState.FAILURE),
        (Outcome("x", failure="render: no"), "render: no", CheckState.FAILURE),
        (Outcome("x", failure="apply: away", waiting=True), "apply: away", CheckState.IN_PROGRESS),
    ],
)
def test_a_check_says_in_one_line_what_would_happen(outcome: Outcome, line: str, state: CheckState) -> None:
    assert (one_line(outcome), outcome.state) == (line, state)


GOLDEN = """\
### What merging this would change

- **1 to be deleted** in `staging`: `ConfigMap shop/old`

| environment | created | changed | deleted | unchanged | |
|---|---:|---:|---:|---:|---|
| `staging` | 0 | 1 | 1 | 0 |  |
| `production` | ? | ? | ? | ? | `render: no` |

<details><summary><code>staging: 1 to change, 1 to delete</code></summary>

```diff
-a
+b
```

```diff
-a
+b
```

</details>

<details><summary><code>production: render: no</code></summary>

```text
render: no
```

</details>

`aaaaaaaaaaaa merged into main at bbbbbbbbbbbb`, beside what is live. Nothing was written. [All of it](https://deployer.example.com/previews/x)"""


def test_a_comment_begins_with_what_would_be_lost() -> None:
    staging = Outcome("staging", (shown("new", Fate.CHANGED), shown("old", Fate.DELETED)))
    assert comment(preview(staging, Outcome("production", failure="render: no")), limit=65_536) == GOLDEN


def test_a_comment_that_is_too_long_is_cut_by_whole_objects() -> None:
    objects = tuple(shown(str(number), Fate.CHANGED, diff=f"+{number} {'x' * 500}\n") for number in range(300))
    said = comment(preview(Outcome("staging", objects)), limit=65_536)
    kept = re.findall(r"^\+\d+ x{500}$", said, re.MULTILINE)
    assert 65_536 - 2000 < len(said) <= 65_536 - 20
    assert said.count("```diff") == len(kept)
    assert f"**{300 - len(kept)} objects are too long to be shown here**; [all of it]({URL})" in said
    assert page(preview(Outcome("staging", objects)), limit=10**6).count("x" * 500) == 300


def test_very_many_environments_still_fit() -> None:
    outcomes = [
        Outcome(f"e{number}", tuple(shown("y" * 253, Fate.DELETED) for _ in range(40))) for number in range(300)
    ]
    assert len(comment(preview(*outcomes), limit=65_536)) <= 65_536 - 20


def test_names_that_take_much_quoting_still_fit_and_leave_whole_rows() -> None:
    ticks = "`" * 100
    gone = tuple(shown(f"{ticks}{number}", Fate.DELETED) for number in range(11))
    outcomes = [Outcome(f"{'e' * 59}{number:03}", gone, failure=ticks) for number in range(101)]
    said = comment(preview(*outcomes), limit=65_536)
    assert len(said) <= 65_536 - 20
    assert f"There is more than fits in here; [all of it]({URL})." in said
    assert all(row.endswith(" |") for row in said.splitlines() if row.startswith("| "))
