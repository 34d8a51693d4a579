"""The command line. Thin: every command opens the application, calls it, and prints.

Exit status: 0 done, 1 refused or failed (one line on standard error), 2 used wrongly, 130
interrupted.
"""

from __future__ import annotations

import logging
import os
import sys

import click

from eren_memory import __version__
from eren_memory.cli import (
    asking,
    auditing,
    benching,
    evaluating,
    files,
    privacy,
    probes,
    reembedding,
    research,
    system,
)
from eren_memory.errors import ErenError
from eren_memory.text import shown


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="eren")
def cli() -> None:
    """An assistant's memory that moderators can edit.

    Notes correct what a chat model says; whatever no note answers, it answers unchanged.
    """


for command in (
    asking.ask,
    asking.check,
    probes.note,
    files.import_command,
    files.export_command,
    files.backup,
    privacy.privacy,
    auditing.audit,
    reembedding.reembed,
    system.reconcile,
    system.status,
    system.run_job,
    system.model,
    system.console,
    system.demo,
    evaluating.evaluate,
    evaluating.report,
    benching.bench,
    research.calibrate,
    research.fit_scope,
    research.eval_conflicts,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line and turn our errors into one line and an exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        # Without its standalone mode, click returns the status of a command that ends with one.
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except ErenError as error:
        click.echo(f"eren: {shown(str(error))}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader left, as in `eren note list | head`; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
