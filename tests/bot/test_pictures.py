"""The guides' pictures show what the bot really does: a flow that changed makes its picture red.

`make pictures` draws them again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bot.conftest import World
from tests.endpoint import Endpoint
from tests.pictures.drawing import draw
from tests.pictures.flows import FLOWS
from tests.pictures.story import Story

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.mark.parametrize("name", FLOWS)
async def test_the_picture_of_a_flow_is_current(world: World, endpoint: Endpoint, name: str):
    flow, story = FLOWS[name], Story(world)
    await flow(world, endpoint, story)
    drawn, file = draw(story, str(flow.__doc__)), FOLDER / f"{name}.svg"
    if os.environ.get("EREN_TEST_PICTURES") == "write":
        file.write_text(drawn)
    assert file.read_text() == drawn, "the flow has changed; look at it, then: make pictures"


def test_there_is_no_picture_without_a_flow_and_each_stands_in_a_guide():
    guides = "\n".join(page.read_text() for page in FOLDER.parent.glob("*.md"))
    shown = re.findall(r"!\[([^\]]*)\]\(pictures/(\w+)\.svg\)", guides)
    drawn = {one.stem for one in FOLDER.glob("*.svg")}
    assert {name for _, name in shown} == {*FLOWS, "layers"} == drawn
    assert all(len(words) > 40 for words, _ in shown), "a picture needs words for who cannot see it"


@pytest.mark.parametrize("name", [*FLOWS, "layers"])
def test_a_picture_fetches_nothing_and_stays_small(name: str):
    text = (FOLDER / f"{name}.svg").read_text()
    root = ElementTree.fromstring(text)
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert not re.search(r"href|url\(|@import|<image|<script", text)
    assert len(text) < 40_000
