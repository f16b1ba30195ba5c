"""``landline completion``: what a shell needs to complete this program's commands, options and files."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import ShellComplete, get_completion_class

from landline.settings.program import NAME

SHELLS: Final = ("bash", "zsh", "fish")

_VARIABLE: Final = f"_{NAME.upper()}_COMPLETE"
"""The script calls us with it; click answers then, before anything else is done."""


@click.command()
@click.argument("shell", metavar="|".join(SHELLS), type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, /, *, shell: str) -> None:
    """Print what makes a shell complete `landline`.

    \b
    bash: eval "$(landline completion bash)"        in ~/.bashrc
    zsh:  eval "$(landline completion zsh)"         in ~/.zshrc, after compinit
    fish: landline completion fish > ~/.config/fish/completions/landline.fish
    """  # noqa: D301 - click's mark, which it reads as one character
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(context.find_root().command, {}, NAME, _VARIABLE)
    # Not made.source(): for bash that starts one to see whether it is old, and the script may be for another machine.
    print(ShellComplete.source(made))
