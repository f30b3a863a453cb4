"""Runs the shell blocks of a page in bash, with the commands of the project in this process.

Bash reads the block, so that variables, here-documents and loops mean what they mean to a reader.
Each command of the project is a small script on the PATH that hands its words to the test over a
socket. The test runs the command in its own process, which has torch loaded once."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.commands import Commands
from tests.docs.markdown import ROOT

PROGRAMS = ("datagen", "train", "accelerate", "make", "pip", "python", "python3")
IGNORED = ("git", "vllm", "ray", "pre-commit", "cd", "source")
"""Words that a page may use, and that a test cannot run: they do nothing here."""
SHIM = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
message = [os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), dict(os.environ)]
server.sendall(json.dumps(message).encode() + b"\\n")
status, text = json.loads(server.makefile().readline())
sys.stdout.write(text)
sys.exit(status)
"""


@dataclass
class Shell:
    """One page's shell. Variables of a block are there in the next one."""

    folder: Path
    """Where the commands run."""
    tools: Path
    """Folder for the scripts and the socket. Its path is short: a socket's is at most 107 bytes."""
    commands: Commands = field(default_factory=Commands)
    errors: list[BaseException] = field(default_factory=list)

    def run(self, text: str) -> str:
        """Run a block. Returns its output. Raises AssertionError with it where a command fails."""
        with listening(self.tools) as server:
            script = "\n".join(
                [*prelude(self.tools), text, f"declare -px > {self.tools}/variables"]
            )
            bash = subprocess.Popen(
                ["bash", "-e", "-u", "-c", script],
                cwd=self.folder,
                env=os.environ | {"PATH": f"{self.tools}:/usr/bin:/bin"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            while bash.poll() is None:
                with contextlib.suppress(TimeoutError):
                    self._answer(server.accept()[0])
        assert bash.stdout
        output = bash.stdout.read()
        if self.errors:
            raise self.errors[0]
        assert bash.returncode == 0, f"{text}\n{output}"
        return output

    def _answer(self, connection: socket.socket) -> None:
        """Run the command that a shim asks for, and give it status and output."""
        with connection, connection.makefile() as stream:
            program, words, folder, variables = json.loads(stream.readline())
            text = io.StringIO()
            with inside(folder, variables), said(text):
                status = self._run(program, words)
            connection.sendall(json.dumps([status, text.getvalue()]).encode() + b"\n")

    def _run(self, program: str, words: list[str]) -> int:
        try:
            return self.commands.run(program, words)
        except (Exception, SystemExit) as error:
            self.errors.append(AssertionError(f"{program} {' '.join(words)}: {error!r}"))
            return 1


def prelude(tools: Path) -> list[str]:
    """What stands before a block: its variables so far, and functions for what cannot be run."""
    scripts = [path.relative_to(ROOT) for path in ROOT.glob("recipes/*/*.sh")]
    return [
        f"[ ! -f {tools}/variables ] || builtin source {tools}/variables",
        *(f"{name}() {{ :; }}" for name in IGNORED),
        *(f'{script}() {{ script {script} "$@"; }}' for script in scripts),
    ]


@contextlib.contextmanager
def listening(tools: Path) -> Iterator[socket.socket]:
    """A socket, and the shims that speak to it."""
    address = tools / "socket"
    address.unlink(missing_ok=True)
    for program in (*PROGRAMS, "script"):
        shim = tools / program
        shim.write_text(SHIM.format(python=sys.executable, address=str(address)))
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()
        server.settimeout(0.02)
        yield server


@contextlib.contextmanager
def said(text: io.StringIO) -> Iterator[None]:
    """Both outputs go into the text."""
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        yield


@contextlib.contextmanager
def inside(folder: str, variables: Mapping[str, str]) -> Iterator[None]:
    """This process in the folder, with the variables that a page exported."""
    before, environment = Path.cwd(), dict(os.environ)
    own = {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    os.chdir(folder)
    os.environ.update({name: value for name, value in variables.items() if name not in own})
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
