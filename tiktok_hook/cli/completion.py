"""``tiktok-hook completion``: the script that makes a shell complete commands."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from tiktok_hook.cli import options

_PROGRAM = "tiktok-hook"
_VARIABLE = "_TIKTOK_HOOK_COMPLETE"


class _Bash(BashComplete):
    """click's completion for bash, with a script that adds no blank after ``PATH=``.

    Source of the protocol: https://click.palletsprojects.com/en/stable/shell-completion/
    """

    source_template = """\
%(complete_func)s() {
    local item kind value
    COMPREPLY=()
    while IFS= read -r item; do
        kind=${item%%%%,*} value=${item#*,}
        case $kind in
            plain) COMPREPLY+=("$value")
                   if [[ $value == *= ]]; then compopt -o nospace 2>/dev/null; fi ;;
            file) compopt -o default 2>/dev/null ;;
            dir) compopt -o dirnames 2>/dev/null ;;
        esac
    done < <(IFS=$'\\n'; COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
             %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null ||
    complete -F %(complete_func)s %(prog_name)s
"""

    def source(self) -> str:
        """The script. click would start bash to see its version; this one works with any."""
        return self.source_template % self.source_vars()


_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": _Bash,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command(cls=options.Command, example="tiktok-hook completion bash")
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice([*_SHELLS]))
@click.pass_context
def command(context: click.Context, /, shell: str) -> None:
    r"""Print the script that completes commands in your shell.

    It completes commands, options, event names, scenarios, ids of deliveries, and the paths of
    --set. Add the line to your shell's start file (.bashrc, .zshrc, or config.fish):

    \b
    bash  eval "$(tiktok-hook completion bash)"
    zsh   eval "$(tiktok-hook completion zsh)"
    fish  tiktok-hook completion fish | source
    """
    found = _SHELLS[shell](context.find_root().command, {}, _PROGRAM, _VARIABLE)
    click.echo(found.source())
