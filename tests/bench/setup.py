"""What the product is compared with, set up once in the user's cache folder."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from tests.bench.programs import HERE, NotMeasuredError, Words

PYTHON_PEERS = ("mitmproxy==11.0.2", "httpie==3.2.4")
EXPRESS = "express@5.1.0"
SECONDS = 180
"""How long an installation may take."""


@dataclass
class Peers:
    """The other programs. Each is installed when first asked for.

    Attributes:
        folder: Where they lie, on a real disk.
        missing: Why one could not be set up, by name.
    """

    folder: Path
    missing: dict[str, str] = field(default_factory=dict)

    @classmethod
    def in_cache(cls) -> "Peers":
        folder = Path(platformdirs.user_cache_dir("tiktok-hook-bench"))
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    def bare(self, port: int) -> Words:
        """The command line of bare aiohttp on uvloop."""
        return [sys.executable, HERE / "peers" / "bare.py", str(port)]

    def express(self, port: int) -> Words:
        """The command line of the Express sample.

        Raises:
            NotMeasuredError: It cannot be set up.
        """
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise NotMeasuredError("Express needs node and npm")
        folder = self.folder / EXPRESS.replace("@", "-")
        # npm writes this file last.
        if not (folder / "node_modules" / ".package-lock.json").exists():
            folder.mkdir(exist_ok=True)
            self._install("Express", [npm, "install", "--no-audit", "--no-fund", EXPRESS], folder)
        program = folder / "express.js"
        shutil.copy(HERE / "peers" / "express.js", program)
        return [node, program, str(port)]

    def python_program(self, name: str) -> Path:
        """A peer that comes by pip: ``mitmdump`` or ``http``.

        Raises:
            NotMeasuredError: It cannot be set up.
        """
        folder = self.folder / "-".join(PYTHON_PEERS).replace("==", "-")
        program = folder / "bin" / name
        if not program.exists():
            self._install(name, [sys.executable, "-m", "venv", str(folder)], self.folder)
            pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            self._install(name, [folder / "bin" / "python", *pip, *PYTHON_PEERS], self.folder)
        return program

    def _install(self, name: str, words: Words, folder: Path) -> None:
        if name in self.missing:
            raise NotMeasuredError(self.missing[name])
        try:
            subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.missing[name] = f"{name} was not installed within {SECONDS} s"
        except (OSError, subprocess.CalledProcessError) as error:
            output = getattr(error, "stderr", b"") or str(error).encode()
            last = output.decode(errors="replace").strip().splitlines()[-1:]
            self.missing[name] = f"{name} could not be installed: {''.join(last)[:160]}"
        if name in self.missing:
            raise NotMeasuredError(self.missing[name])
