"""``tiktok-hook completion``: the script that makes a shell complete commands."""

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from tiktok_hook.cli import options

_PROGRAM = "tiktok-hook"
_VARIABLE = "_TIKTOK_HOOK_COMPLETE"


class Bash(BashComplete):
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

    _typed = ""  # what bash took for words of its own, up to and with the last equals sign

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor's, and that word, joined where bash broke them at ``=``."""
        before, last = super().get_completion_args()
        words: list[str] = []
        joins = False
        for word in [*before, last]:
            if words and (joins or word == "="):
                words[-1] += word
            else:
                words.append(word)
            joins = word == "="
        if len(words) <= len(before):
            self._typed = words[-1][: len(words[-1]) - len("" if last == "=" else last)]
        return words[:-1], words[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """A line of the protocol; bash replaces only what follows the equals sign."""
        item.value = item.value.removeprefix(self._typed)
        return super().format_completion(item)

    def source(self) -> str:
        """The script. click would start bash to see its version; this one works with any."""
        return self.source_template % self.source_vars()


_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": Bash,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


def register() -> None:
    """Have click use `Bash` when bash asks for completions."""
    add_completion_class(Bash)


@click.command(cls=options.Command, example="tiktok-hook completion bash")
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice([*_SHELLS]))
@click.pass_context
def command(context: click.Context, /, shell: str) -> None:
    """Print the script that completes commands in your shell.

    It completes commands, options, event names, scenarios, ids of deliveries, and the paths and
    known values of --set. Add the line to your shell's start file (.bashrc, .zshrc, or
    config.fish):

    \b
    bash  eval "$(tiktok-hook completion bash)"
    zsh   eval "$(tiktok-hook completion zsh)"
    fish  tiktok-hook completion fish | source
    """  # noqa: D301 - the character that keeps click from joining these lines
    found = _SHELLS[shell](context.find_root().command, {}, _PROGRAM, _VARIABLE)
    click.echo(found.source())
