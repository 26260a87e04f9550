"""What is found by `%%explore` and done by `--step`, with the mouse, in a real JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

RACE = """\
%%explore race
import os
r, w = os.pipe()
for word in (b"a", b"b"):
    if os.fork() == 0:
        os.write(w, word)
        os._exit(0)
os.wait(), os.wait()
print(os.read(r, 2).decode())
"""
STEPS = """\
%%program walk --step
import os
r, w = os.pipe()
if os.fork() == 0:
    os.write(w, b"hello")
    os._exit(0)
print(os.read(r, 5).decode())
os.wait()
"""
BUTTON = ".jp-OutputArea-output button"


def loaded(notebook: Callable[..., Any], cell: str) -> Any:
    """A notebook whose second cell has been run."""
    opened = notebook("%load_ext labkit", cell)
    for number in (0, 1):
        opened.run(number)
        opened.wait_ran(number)
    return opened


def test_an_outcome_of_explore_is_clicked_and_its_film_plays(notebook: Callable[..., Any]) -> None:
    opened = loaded(notebook, RACE)
    page = opened.page
    page.wait_for_selector(".lk-outcomes")
    outputs = [text.strip() for text in page.locator(".lk-outcomes tbody pre").all_inner_texts()]
    assert sorted(outputs) == ["ab", "ba"]
    assert page.inner_text(".lk-outcomes caption").endswith("as one of these. 2 outcomes.")
    opened.picture("explored")
    page.click(f"button[data-n='{outputs.index('ba')}']")
    page.wait_for_selector(".labkit .lk-where >> text=frame 1 of")
    page.focus(".labkit .lk-range")
    page.keyboard.press("End")
    assert page.inner_text(".lk-output pre").strip() == "ba"
    written = page.evaluate("document.querySelector('.labkit .lk-names')?.textContent ?? ''")
    assert "race/child 2" in written
    opened.picture("explored-film")
    page.click("button >> text=all outcomes")
    page.wait_for_selector(".lk-outcomes")
    assert opened.errors == []


def test_the_buttons_of_a_stepped_program_make_it_go_one_call_at_a_time(notebook: Callable[..., Any]) -> None:
    opened = loaded(notebook, STEPS)
    page = opened.page
    page.click(f"{BUTTON} >> text=/walk: pipe/")
    page.wait_for_selector(".labkit [data-key^=pipe]")
    page.click(f"{BUTTON} >> text=/walk: fork/")
    page.wait_for_selector(f"{BUTTON} >> text=/walk.child: write/")
    page.locator(f"{BUTTON} >> text=until it waits").first.click()
    page.wait_for_selector("text=/walk waits in/")
    assert page.locator(f"{BUTTON} >> text=/walk: /").count() == 0, "who waits cannot go"
    opened.picture("stepped")
    page.click(f"{BUTTON} >> text=/walk.child: write/")
    page.wait_for_selector(f"{BUTTON} >> text=/walk: /")
    page.click(f"{BUTTON} >> text=Run all")
    page.wait_for_selector(".labkit[data-status=ended]")
    page.wait_for_function(f"() => document.querySelectorAll({BUTTON!r}).length < 10")
    assert re.search(r"\| hello", page.inner_text(".jp-OutputArea-output .widget-html pre"))
    assert page.locator(f"{BUTTON} >> text=Run all").count() == 0
    assert opened.errors == []
