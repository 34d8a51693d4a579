"""Further models that communities may choose."""

import pytest

from eren_memory import calibrations
from eren_memory.app import App, open_app, own_calibrations
from eren_memory.calibrations import Key
from eren_memory.config import LOCAL_MODEL, Settings
from eren_memory.domain import By, NoteDraft, Origin, Place
from eren_memory.prompts import PROMPT_VERSION
from eren_memory.relevance import Calibration, Task, Weights
from tests.calibrated import CALIBRATION, NOTE, QUESTION, READING, calibrate
from tests.endpoint import Endpoint, Reply

PLACE = Place("g")
STRANGERS = "Who painted the ceiling?"


@pytest.mark.parametrize(
    ("main", "further", "offered"),
    [
        ("a", None, ("a",)),
        ("a", "b, c", ("a", "b", "c")),
        ("a", " b ,, a,b", ("a", "b")),
        (None, "b", ("gpt-4.1-mini", "b")),
        (LOCAL_MODEL, "b", (LOCAL_MODEL,)),
    ],
)
def test_the_main_model_is_offered_first_and_each_once(main, further, offered):
    settings = Settings(model=main, models=further, openai_api_key="sk-secret-of-the-tests")
    assert settings.offered_models == offered


async def test_each_offered_model_answers_under_its_own_name(
    settings: Settings, endpoint: Endpoint
):
    async with open_app(settings.model_copy(update={"models": "other"})) as app:
        assert app.models == ("scripted", "other")
        for model in ("other", None, "scripted", "gone"):
            await app.eren_for(model).answer(STRANGERS, PLACE)
    asked = [request["model"] for request in endpoint.requests]
    assert asked == ["other", "scripted", "scripted", "scripted"]


async def test_an_assistant_is_made_once_for_a_model(settings: Settings):
    async with open_app(settings.model_copy(update={"models": "other"})) as app:
        assert app.eren_for("other") is app.eren_for("other")
        assert app.eren_for(None) is app.eren_for("scripted") is app.eren_for("gone") is app.eren


async def test_models_share_the_notebook_and_not_the_calibration(
    settings: Settings, endpoint: Endpoint
):
    calibrate(settings)
    strict = Key("other", "hashed-words", PROMPT_VERSION, True, Task.QUESTION)
    never = Calibration(Weights(-99, 0, 0), CALIBRATION.retrieval, gate=0, doubtful=0)
    calibrations.write(own_calibrations(settings), {strict: never})
    endpoint.when(READING, Reply("yes: at noon", probability=0.95))
    async with open_app(settings.model_copy(update={"models": "other"})) as app:
        await app.notebook.add("g", NoteDraft(NOTE), By("ann"))
        origins = [
            (await app.eren_for(model).answer(QUESTION, PLACE)).origin for model in app.models
        ]
    assert origins == [Origin.NOTEBOOK, Origin.MODEL]


async def test_a_calibration_counts_from_the_next_question_on_and_a_damaged_file_changes_nothing(
    settings: Settings, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    endpoint.when(READING, Reply("yes: at noon", probability=0.95))
    own = own_calibrations(settings)
    async with open_app(settings) as app:
        await app.notebook.add("g", NoteDraft(NOTE), By("ann"))
        calibrate(settings)
        assert (await app.eren.answer(QUESTION, PLACE)).origin is Origin.NOTEBOOK
        key = Key("scripted", "hashed-words", PROMPT_VERSION, True, Task.QUESTION)
        never = Calibration(Weights(-99, 0, 0), CALIBRATION.retrieval, gate=0, doubtful=0)
        calibrations.write(own, {key: never})
        assert (await app.eren.answer(QUESTION, PLACE)).origin is Origin.MODEL
        own.write_text("no calibrations at all")
        assert (await app.eren.answer(QUESTION, PLACE)).origin is Origin.MODEL
        assert caplog.text.count("The calibrations stay as they were") == 1
        own.unlink()
        calibrate(settings)
        assert (await app.eren.answer(QUESTION, PLACE)).origin is Origin.NOTEBOOK


async def test_every_models_connection_is_closed_with_the_application(
    settings: Settings, endpoint: Endpoint
):
    async with open_app(settings.model_copy(update={"models": "other"})) as app:
        for model in app.models:
            await app.eren_for(model).answer(STRANGERS, PLACE)
        assert _clients(app) != [None, None]
    assert _clients(app) == [None, None]


async def test_the_embedded_model_has_no_alternatives(settings: Settings):
    changed = {"model": LOCAL_MODEL, "models": "other"}
    async with open_app(settings.model_copy(update=changed)) as app:
        assert app.models == (LOCAL_MODEL,)
        assert app.eren_for("other") is app.eren


def _clients(app: App) -> list[object]:
    return [eren._model._model._client for eren in app.by_model.values()]  # type: ignore[attr-defined]
