"""Documentation is checked like code: commands that it names exist, pages that are made are current."""

import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

from bot.metrics import Metrics
from eren_memory.cli import cli
from eren_memory.config import Settings
from tests.pictures import architecture

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[tuple[str, str]]:
    """Every line of a code block, or inline code, that starts with `eren`."""
    found = []
    for page in PAGES:
        if page.name == "cli.md":
            continue
        matches = re.finditer(r"(?:^\s*|`)(?:\$ )?(eren [^`\n]*)", page.read_text(), re.MULTILINE)
        found += [(page.name, match.group(1).split("  #")[0].strip()) for match in matches]
    return found


def makes() -> list[str]:
    return sorted(
        {name for page in PAGES for name in re.findall(r"\bmake ([a-z-]+)\b", page.read_text())}
    )


def test_the_documentation_names_commands():
    assert len(commands()) > 5


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_in_the_documentation_exists(page: str, line: str):
    words = shlex.split(line.replace("…", "x"), comments=True)[1:]
    command: click.Command = cli
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        below = command.get_command(click.Context(command), words.pop(0))
        assert below, f"{page}: {line}"
        command = below
    known = {option for parameter in command.params for option in parameter.opts} | {
        "--help",
        "--version",
    }
    given = {word.split("=")[0] for word in words if word.startswith("--")}
    assert given <= known, f"{page}: {line}"


@pytest.mark.parametrize("target", makes())
def test_every_make_target_in_the_documentation_exists(target: str):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_page_of_commands_is_current():
    reference = runpy.run_path(str(ROOT / "docs" / "cli_reference.py"))["reference"]()
    assert (ROOT / "docs" / "cli.md").read_text() == reference, "run: make docs"


def test_the_page_of_the_architecture_is_current():
    assert architecture.page(architecture.PAGE.read_text()) == architecture.PAGE.read_text(), (
        "run: make docs"
    )
    assert architecture.PICTURE.read_text() == architecture.picture(), "run: make docs"


def test_the_walk_through_the_architecture_names_files_that_exist():
    text = architecture.PAGE.read_text()
    for name in re.findall(r"`((?:[a-z_]+/)*[a-z_]+(?:\.py|/))`", text):
        assert any((ROOT / place / name).exists() for place in (".", "eren_memory")), name


def test_what_the_troubleshooting_quotes_is_what_the_program_says():
    told = (ROOT / "docs" / "operating.md").read_text().split("## Troubleshooting")[1]
    files = [one for name in ("bot", "eren_memory") for one in (ROOT / name).rglob("*.[pt][yo]*")]
    source = "\n".join(one.read_text() for one in files if one.suffix in (".py", ".toml"))
    # A sentence goes on over the lines of its literal; a field may stand between its halves.
    source = re.sub(r'"\s*\n\s*f?"', "", source)
    source = source.replace("{SECRETS_FOLDER}", "EREN_SECRETS_DIR")
    quoted = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", told)
    assert len(quoted) > 15
    for sentence in quoted:
        for part in re.split(r"\s*(?:…|\(FileNotFoundError\))\s*", sentence):
            assert part in source, sentence


def test_every_setting_stands_in_the_table_of_settings():
    table = (ROOT / "docs" / "operating.md").read_text()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variable = alias.choices[0] if alias else f"EREN_{name.upper()}"  # type: ignore[union-attr]
        assert f"\n| `{variable}` |" in table, variable


def test_every_metric_stands_in_the_table_of_metrics_and_no_other():
    page = Metrics({"m": (1, 1)}).page().decode()
    kinds = re.findall(r"^# TYPE (eren_\w+) (\w+)$", page, re.MULTILINE)
    served = {name for name, _ in kinds if not name.endswith("_created")}
    table = (ROOT / "docs" / "operating.md").read_text()
    assert set(re.findall(r"^\| `(eren_\w+)` \|", table, re.MULTILINE)) == served


def test_every_fault_in_the_table_of_faults_is_tried_by_a_test_that_exists():
    page = (ROOT / "docs" / "faults.md").read_text()
    rows = [line.split("|")[1:-1] for line in page.splitlines() if re.match(r"\| (?!fault )", line)]
    assert len(rows) > 25
    tests = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    for row in rows:
        assert len(row) == 6, row
        named = re.findall(r"`(test_\w+)`", row[-1])
        assert named, row[0]
        assert {*named} <= tests, row[0]


def test_every_command_says_what_it_does():
    def walk(command: click.Command) -> None:
        assert command.help, command.name
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (
                command.name,
                parameter.name,
            )
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below
                assert below.name == name
                walk(below)

    walk(cli)


def test_the_readme_leads_to_every_page():
    table = (ROOT / "README.md").read_text().split("## Documentation")[1].split("\n## ")[0]
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", table))
    assert linked == {one.name for one in (ROOT / "docs").glob("*.md")}


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
