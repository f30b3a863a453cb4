"""The page of a version on the Hub: it says how that version is loaded, and its figures lie beside
it."""

import re

from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen


def test_the_page_names_its_own_tag_and_holds_its_figures(hub, tmp_path):
    for rows in (5, 6):
        assert (
            datagen("publish", make_run(tmp_path / str(rows), rows=rows), "org/sums", "--hub") == 0
        )
    for tag in ("v1.0.0", "v1.1.0"):
        files = hub.repositories["org/sums"].at(tag).files
        card = files["README.md"].content.decode()
        assert f'load_dataset("org/sums", "rationales", revision="{tag}", split="train")' in card
        shown = set(re.findall(r"\]\((figures/[^)]+)\)", card))
        assert shown == {path for path in files if path.startswith("figures/")} != set()
