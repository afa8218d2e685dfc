"""A shell's part: gives the terminal to one job, takes it when the job stops, and prints it.

Started as leader of a session on a pseudo-terminal. ``fg`` typed in brings the job back.
"""

import fcntl
import os
import signal
import subprocess
import sys
import termios


def report(what: str) -> None:
    line_mode = bool(termios.tcgetattr(0)[3] & termios.ICANON)
    echo = bool(termios.tcgetattr(0)[3] & termios.ECHO)
    blocking = "" if os.get_blocking(0) else ", NOT BLOCKING"
    os.write(1, f"[{what}, lines {line_mode}, echo {echo}{blocking}]\n".encode())


def foreground(group: int) -> None:
    os.tcsetpgrp(0, group)
    os.killpg(group, signal.SIGCONT)


def main() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    in_background = sys.argv[1] == "background"
    job = subprocess.Popen(sys.argv[2:], process_group=0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # as shells do, to be able to take it back
    if in_background:
        report("in background")
        sys.stdin.readline()
    foreground(job.pid)
    while True:
        _, status = os.waitpid(job.pid, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            break
        report("stopped")
        sys.stdin.readline()
        foreground(job.pid)
    job.returncode = os.waitstatus_to_exitcode(status)
    report(f"ended with {job.returncode}")


if __name__ == "__main__":
    main()
