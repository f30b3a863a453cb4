"""The scripts that CI does not run still name things that exist."""

import pytest

from tests.docs.names import missing
from tests.stubs import ROOT

SCRIPTS = [*sorted(ROOT.glob("tests/bench/*.py")), *sorted(ROOT.glob("recipes/*/*.py"))]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_names_that_a_script_imports_exist(script):
    assert not missing(script.read_text(encoding="utf-8"))
