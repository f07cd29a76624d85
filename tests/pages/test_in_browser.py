"""The pages in headless Chromium: opened, read, walked by keyboard, on a phone and in the dark."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iic.params.runs import load_plan
from iic.provenance.audit.page import view
from iic.provenance.audit.report import Finding
from iic.publish.pages.render import render
from tests.pages.pages_helpers import HOSTILE, ROOT, an_audit, built, parse

CELL = "td.ours button.open"
DESKTOP, PHONE = (1280, 900), (360, 740)
FINDINGS = [
    Finding(level="failure", kind="altered", path="results/laptop/" + "x" * 90, message=HOSTILE),
    Finding(level="drift", kind="stale", path="a", message="a\nb", remedy="iic run"),
    Finding(level="note", kind="uncommitted", path=".", message="n" * 200),
]

# text whose contrast with what lies behind it is under what WCAG asks for at level AA
PALE = """
const curve = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const channel = (value) => curve(value / 255);
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = numbers(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = [];
let seen = 0;
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest("script, style, .skip")) continue;
  const style = getComputedStyle(element);
  const [one, other] = [light(numbers(style.color)), light(behind(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  seen += 1;
  if (ratio < (large ? 3 : 4.5)) found.push([element.tagName, element.className, ratio]);
}
return [seen, found];
"""


class Window:
    """A page that is open."""

    def __init__(self, chrome: Any, path: Path) -> None:
        self.chrome = chrome
        self.path = path
        self.media("light")
        self.size(*DESKTOP)
        chrome.get(path.as_uri())

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def media(self, scheme: str) -> None:
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.chrome.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        return list(self.chrome.find_elements("css selector", selector))

    def press(self, *keys: str) -> None:
        """Keys as a keyboard sends them, to whatever has the focus."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.chrome).send_keys(*keys).perform()

    @property
    def dialog_open(self) -> bool:
        return bool(self.run("return document.querySelector('dialog').open"))

    @property
    def overflow(self) -> int:
        """Pixels by which the page as a whole is wider than the window."""
        root = "document.documentElement"
        return int(self.run(f"return {root}.scrollWidth - {root}.clientWidth"))


@pytest.fixture(scope="module")
def pages(page: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    written = {"report": page, "audit": render("audit.html.j2", audit=view(an_audit(*FINDINGS)))}
    for name, content in written.items():
        (folder / f"{name}.html").write_bytes(content)
    return {name: folder / f"{name}.html" for name in written}


@pytest.fixture
def report(browser: Any, pages: dict[str, Path]) -> Iterator[Window]:
    yield Window(browser, pages["report"])


@pytest.fixture(params=["report", "audit"])
def either(browser: Any, pages: dict[str, Path], request: pytest.FixtureRequest) -> Window:
    return Window(browser, pages[request.param])


def test_a_page_loads_nothing_and_complains_of_nothing(either: Window) -> None:
    either.chrome.get_log("browser")
    either.chrome.refresh()
    assert either.chrome.get_log("browser") == []
    loaded = either.run(
        "return performance.getEntriesByType('resource').map((one) => one.name)"
        ".filter((name) => !name.startsWith('data:'))"
    )
    assert loaded == []
    # and every picture inside it can be drawn
    pictures = either.run("return [...document.images].map((one) => one.naturalWidth)")
    assert all(width > 100 for width in pictures)


def test_every_number_is_a_button_and_a_click_opens_its_chain(report: Window) -> None:
    buttons = report.all(CELL)
    assert len(buttons) == 14 and not report.all("a.open")
    (*_, last) = (
        button for button in buttons if "fast recipe" not in button.get_attribute("data-heading")
    )
    report.run("arguments[0].scrollIntoView({block: 'center'})", last)
    last.click()
    assert report.dialog_open
    text = report.run("return document.querySelector('dialog').innerText")
    heading = last.get_attribute("data-heading")
    assert heading in text and last.text in text
    for part in (
        "mnist/iic, seed 0",
        "Evaluation",
        "Training",
        "Prepared data",
        "Raw files",
        "data/raw/mnist/",
        "sha256 ",
        "commit",
        "AMD EPYC",
    ):
        assert part in text
    assert (
        report.run(
            "const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);"
            "return ids.length - new Set(ids).size"
        )
        == 0
    )
    report.all("dialog .close")[0].click()
    assert not report.dialog_open


def test_a_keyboard_opens_a_chain_reads_it_and_comes_back(report: Window) -> None:
    from selenium.webdriver.common.keys import Keys

    report.run("document.querySelector(arguments[0]).focus()", CELL)
    report.press(Keys.TAB)
    second = report.run("return document.activeElement")
    assert second == report.all(CELL)[1]
    # what has the focus is seen to have it
    assert report.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    report.press(Keys.ENTER)
    assert report.dialog_open
    inside = "return document.querySelector('dialog').contains(document.activeElement)"
    assert report.run(inside)
    for _ in range(3):
        report.press(Keys.TAB)
    # never to the page behind it: inside, or on the browser's own buttons
    assert report.run(f"{inside} || document.activeElement === document.body")
    report.press(Keys.ESCAPE)
    assert not report.dialog_open
    assert report.run("return document.activeElement") == second
    report.press(Keys.SPACE)
    assert report.dialog_open
    report.press(Keys.ESCAPE)


def test_the_first_tab_offers_to_skip_to_the_content(either: Window) -> None:
    from selenium.webdriver.common.keys import Keys

    either.press(Keys.TAB)
    assert either.run("return document.activeElement.textContent") == "Skip to the content"
    assert either.run("return document.activeElement.getBoundingClientRect().left >= 0")


def test_nothing_hangs_over_the_edge_of_a_phone(either: Window) -> None:
    either.size(*PHONE)
    either.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert either.run("return innerWidth") == PHONE[0]
    assert either.overflow <= 0


def test_a_wide_table_scrolls_in_its_own_box_and_a_dialog_fits_a_phone(report: Window) -> None:
    report.size(*PHONE)
    assert report.run(
        "const box = document.querySelector('table.results').parentElement;"
        "return box.scrollWidth > box.clientWidth && box.tabIndex === 0"
    )
    report.run("const cell = document.querySelector(arguments[0]); cell.click()", CELL)
    box = report.run("return document.querySelector('dialog').getBoundingClientRect().toJSON()")
    assert box["left"] >= 0 and box["right"] <= PHONE[0]
    assert box["top"] >= 0 and box["bottom"] <= PHONE[1]
    assert report.run(
        "const body = document.querySelector('.dialog-body');"
        "return body.scrollWidth <= body.clientWidth && body.scrollHeight > body.clientHeight"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(either: Window, scheme: str) -> None:
    either.media(scheme)
    either.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    seen, pale = either.run(PALE)
    assert seen > 20 and pale == []
    if either.path.stem == "report":
        either.run("document.querySelector(arguments[0]).click()", CELL)
        assert either.run(PALE)[1] == []
    lightness = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"
    assert (int(either.run(lightness)) > 128) == (scheme == "light")


def test_without_scripts_a_number_leads_to_its_chain(browser: Any, pages: dict[str, Path]) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        window = Window(browser, pages["report"])
        links = window.all("td.ours a.open")
        assert len(links) == 14
        target = links[-1].get_attribute("href").split("#")[1]
        links[-1].click()
        chain = browser.find_element("id", target)
        chain.find_element("css selector", "summary").click()
        assert chain.get_attribute("open") and "Raw files" in chain.text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def hostile_page(clone: Path) -> bytes:
    """The page of a clone whose settings and receipts hold `HOSTILE`, and a text of 10 MB."""
    whole = load_plan("laptop", ROOT / "params")
    scale = whole.scale.model_copy(update={"description": HOSTILE, "machine": HOSTILE})
    paths = sorted(clone.glob("results/laptop/runs/mnist/*/seed0/run.json"))
    for path, text in zip(paths, [HOSTILE, "x" * 10_000_000] * 2, strict=False):
        receipt = json.loads(path.read_text(encoding="utf-8"))
        receipt["environment"]["cpu"] = text
        receipt["sessions"] = [{**session, "device": text} for session in receipt["sessions"]]
        receipt["fingerprint"]["settings"][HOSTILE] = text
        path.write_text(json.dumps(receipt), encoding="utf-8")
    return built(dataclasses.replace(whole, scale=scale), an_audit(*FINDINGS), clone)


def test_hostile_text_is_only_text(own_laptop: Path, page: bytes) -> None:
    content = hostile_page(own_laptop)
    assert len(content) < len(page) + 1_000_000
    shown = parse(content)
    assert HOSTILE in "".join(shown.words) and "(10,000,000 characters)" in shown.text
    assert len(list(shown.all("script"))) == len(list(parse(page).all("script"))) == 1
    assert not [*shown.all("base"), *shown.all("meta", **{"http-equiv": "refresh"})]
    names = {name for element in shown.all() for name in element.attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"autofocus", "style"})
    assert all(image.attributes["src"].startswith("data:image/") for image in shown.all("img"))
    targets = {element.attributes["href"] for element in shown.all("a")}
    assert all(re.fullmatch(r"#[^ ]*|[\w./-]+", target) for target in targets)


def test_hostile_text_runs_nothing(browser: Any, own_laptop: Path, tmp_path: Path) -> None:
    (tmp_path / "hostile.html").write_bytes(hostile_page(own_laptop))
    browser.get_log("browser")
    window = Window(browser, tmp_path / "hostile.html")
    window.run("document.querySelector(arguments[0]).click()", CELL)
    window.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert window.run("return window.hostile") is None
    assert HOSTILE in window.run("return document.body.textContent")
    assert window.run("return location.href") == window.path.as_uri()
    assert browser.get_log("browser") == []


@pytest.mark.parametrize(
    "attack",
    [
        "const s = document.createElement('script'); s.text = 'window.hostile = 1'; at.append(s)",
        "at.innerHTML = '<img src=data:, onerror=\"window.hostile = 1\">'",
        "at.innerHTML = '<a id=x href=\"javascript:window.hostile = 1\">x</a>'; x.click()",
        "at.innerHTML = '<img src=\"http://127.0.0.1:9/x.png\">'",
        "at.innerHTML = '<style>body { background: url(http://127.0.0.1:9/x) }</style>'",
        "at.innerHTML = '<iframe src=\"http://127.0.0.1:9/\"></iframe>'",
        "at.innerHTML = '<form id=x action=\"http://127.0.0.1:9/\"></form>'; x.submit()",
        "fetch('http://127.0.0.1:9/').catch(() => 0)",
    ],
)
def test_the_policy_holds_where_escaping_would_fail(either: Window, attack: str) -> None:
    """As if a text had become markup: the browser itself refuses to run or load it."""
    refused = either.chrome.execute_async_script(
        "const at = document.createElement('div'); document.body.append(at);"
        "const done = arguments[arguments.length - 1];"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.blockedURI));"
        f"{attack}; setTimeout(() => done(null), 3000)"
    )
    assert refused is not None and either.run("return window.hostile") is None


def test_a_link_to_a_folded_chain_unfolds_it(browser: Any, pages: dict[str, Path]) -> None:
    browser.get("about:blank")
    browser.get(f"{pages['report'].as_uri()}#run-mnist.iic.seed0")
    chain = browser.find_element("id", "run-mnist.iic.seed0")
    assert chain.get_attribute("open")
    top = browser.execute_script("return arguments[0].getBoundingClientRect().top", chain)
    assert -5 < top < DESKTOP[1]
