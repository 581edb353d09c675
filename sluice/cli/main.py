"""The way into the `sluice` command: which commands there are, and what an error looks like to a person.

A command's module is imported only when it runs, so that `sluice --help` answers at once. Every mistake a person can
make ends in a sentence on standard error and one of four exit codes; a traceback is shown only where it was asked for.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from sluice.errors import SluiceError

COMMANDS: dict[str, tuple[str, str]] = {
    # command: (module:attribute, what `sluice --help` says of it: the first sentence of the command's own help)
    "init": ("sluice.cli.init:init", "Begin a project: a registry with one agent, and Pulumi's files of dev."),
    "up": ("sluice.cli.up:up", "Start what is missing, run pulumi up, and ask every agent a question."),
    "down": ("sluice.cli.down:down", "Stop the local cluster; in a cluster of your own, run pulumi destroy."),
    "ask": ("sluice.cli.ask:ask", "Ask an agent of an environment, and show who answered."),
    "callers": (
        "sluice.cli.callers:callers",
        "Issue, list and revoke the keys of the teams that call the gateway.",
    ),
    "secrets": ("sluice.cli.secrets:secrets", "List, set and rotate the keys that an environment asks for."),
    "validate": ("sluice.cli.validate:validate", "Check a registry folder and show every mistake at once."),
    "explain": ("sluice.cli.explain:explain", "Print what a rule of the registry wants, and why."),
    "plan": ("sluice.cli.plan:plan", "Say what a change to the registry means, agent by agent, and what forbids it."),
    "status": (
        "sluice.cli.status:status",
        "Show what git wants of each agent, what is allowed and served, how its arms fare, and what comes next.",
    ),
    "render": ("sluice.cli.render:render", "Write what should exist in an environment, one object a file."),
    "review": ("sluice.cli.review:review", "Look at the outputs that wait for a person, and decide on them."),
    "failures": (
        "sluice.cli.failures:failures",
        "Print the queries of an agent that failed last, or were answered worst.",
    ),
    "promote": (
        "sluice.cli.promote:promote",
        "Bring the model that an agent has in one environment into another, as a request that people merge.",
    ),
    "advance": (
        "sluice.cli.advance:advance",
        "Raise an agent's weight by one step where its gates let it, as a request that people merge.",
    ),
    "log": (
        "sluice.cli.log:log",
        "Show the weights, overrides and evidence of an environment over time, and by whose word each came.",
    ),
    "soak": (
        "sluice.cli.soak:soak",
        "Ask every candidate its queries, score the answers, exercise the way back, and write the evidence.",
    ),
    "rollback": ("sluice.cli.rollback:rollback", "Send an agent, or all, to the baseline, now."),
    "resume": ("sluice.cli.resume:resume", "Lift the override of an agent, or the one of all."),
    "guard": (
        "sluice.cli.guard:guard",
        "Look once, as the guard in the cluster does, say what it makes of each agent, and change nothing.",
    ),
    "report": (
        "sluice.cli.report:report",
        "Write what became of each agent in the last days, on one page that stands alone.",
    ),
    "simulate": (
        "sluice.cli.simulate:simulate",
        "Replay made traffic through the gates: how fast is a bad model caught, how often a good one blamed.",
    ),
    "cost": ("sluice.cli.cost:cost", "Show what an environment costs a month, at its weights and at every step."),
    "ci": ("sluice.cli.ci:ci", "The steps of CI: check a request, preview it, apply what was merged, look for drift."),
    "local": ("sluice.cli.local:local", "Start, stop and look at the local cluster."),
    "env": ("sluice.cli.variables:variables", "Print what to export to run kubectl and pulumi by hand."),
}

EXIT_USED_WRONGLY = 2
EXIT_COULD_NOT_BE_DONE = 3
EXIT_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
EXIT_OUTPUT_NOT_READ = 141  # 128 and the number of SIGPIPE


class _LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click calls it so
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click calls it so
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def _show_version(ctx: click.Context, _param: click.Parameter, is_asked: bool) -> None:
    if is_asked and not ctx.resilient_parsing:
        from sluice.version import version_text  # asks git, which no other command needs at its start

        click.echo(f"sluice {version_text()}")
        ctx.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done or true, 1 the answer is no, 2 used wrongly, 3 could not be done.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def sluice() -> None:
    """Roll fine-tuned models out behind one LLM gateway on Kubernetes."""


def main() -> NoReturn:
    """Run the command of this process's arguments and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command, print its error if it has one, and return its exit code."""
    try:
        # click's own main() would answer a broken pipe with 1, which here means that the answer is no.
        with sluice.make_context("sluice", arguments) as context:
            code = sluice.invoke(context)
        if sys.stdout is not None:  # closed by whoever started the command
            sys.stdout.flush()
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", EXIT_INTERRUPTED)
    except click.UsageError as error:
        error.show()
        return EXIT_USED_WRONGLY
    except SluiceError as error:
        return _say(_sentence(error), error.exit_code)
    except BrokenPipeError:
        # Whoever read our output had enough. Standard output is redirected, or Python complains of it at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OUTPUT_NOT_READ
    except OSError as error:
        return _say(_of_the_machine(error), EXIT_COULD_NOT_BE_DONE)
    except Exception as error:  # noqa: BLE001 - the last place where a defect of ours can become a sentence
        return _defect(error)
    return code if isinstance(code, int) else 0


def _say(text: str, code: int) -> int:
    click.echo(f"sluice: {text}", err=True)
    return code


def _sentence(error: SluiceError) -> str:
    """Write an error; at a terminal, findings in a person's files are shown where they stand."""
    findings = getattr(error, "findings", ())
    if not findings or not sys.stderr.isatty():
        return str(error)
    import shutil  # only an error in a file needs these

    from sluice.cli.findings_text import at_terminal

    return f"{str(error).partition(chr(10))[0]}\n{at_terminal(findings, columns=shutil.get_terminal_size().columns)}"


def _of_the_machine(error: OSError) -> str:
    """Say what the machine refused: no space, no permission, a file that is gone."""
    _show_traceback_if_asked(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _defect(error: Exception) -> int:
    _show_traceback_if_asked(error)
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return _say(
        f"{what}. This is a defect of sluice; SLUICE_TRACEBACK=1 shows where it happened.", EXIT_COULD_NOT_BE_DONE
    )


def _show_traceback_if_asked(error: Exception) -> None:
    if os.environ.get("SLUICE_TRACEBACK"):
        import traceback  # nobody else needs it

        traceback.print_exception(error)
