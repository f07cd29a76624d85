"""The page of the results that are in git, and one browser for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iic.params.runs import load_plan
from tests.pages.pages_helpers import ROOT, an_audit, built, laptop_clone


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the results of scale laptop. Do not change it."""
    return laptop_clone(tmp_path_factory.mktemp("laptop"))


@pytest.fixture
def own_laptop(laptop: Path, tmp_path: Path) -> Path:
    """The same to do anything to."""
    return Path(shutil.copytree(laptop, tmp_path / "clone"))


@pytest.fixture(scope="session")
def page(laptop: Path) -> bytes:
    """The page of scale laptop."""
    return built(load_plan("laptop", ROOT / "params"), an_audit(), laptop)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window, driven by Debian's driver; nothing is downloaded."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium-driver)")
    options = Options()
    options.binary_location = binary
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        "--no-first-run",
        "--disable-background-networking",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    yield chrome
    chrome.quit()
