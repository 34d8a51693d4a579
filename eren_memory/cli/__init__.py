"""The command line. Thin: every command opens the application, calls it, and prints.

Exit status: 0 done, 1 refused or failed (one line on standard error), 2 used wrongly, 130
interrupted.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys

import click

from eren_memory import __version__
from eren_memory.cli.lazy import LazyGroup
from eren_memory.errors import ErenError
from eren_memory.text import shown

# Objects, made and not freed by themselves, after which Python looks for garbage; its own is 700.
_GARBAGE_AFTER = 50_000

_COMMANDS = {
    "ask": "asking:ask",
    "audit": "auditing:audit",
    "backup": "files:backup",
    "bench": "benching:bench",
    "calibrate": "research:calibrate",
    "check": "asking:check",
    "console": "system:console",
    "demo": "system:demo",
    "eval": "evaluating:evaluate",
    "eval-conflicts": "research:eval_conflicts",
    "export": "files:export_command",
    "fit-scope": "research:fit_scope",
    "import": "files:import_command",
    "model": "system:model",
    "note": "notes:note",
    "privacy": "privacy:privacy",
    "reconcile": "system:reconcile",
    "reembed": "reembedding:reembed",
    "report": "evaluating:report",
    "run-job": "system:run_job",
    "status": "system:status",
}


@click.group(
    cls=LazyGroup,
    places=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="eren")
def cli() -> None:
    """An assistant's memory that moderators can edit.

    Notes correct what a chat model says; whatever no note answers, it answers unchanged.
    """


def main() -> None:
    """Run the command line and turn our errors into one line and an exit status."""
    # What is imported stays to the end. Looking through it for garbage, again and again and once more as
    # the process ends, would take a fifth of a short command's time.
    gc.set_threshold(_GARBAGE_AFTER)
    atexit.register(gc.freeze)
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
