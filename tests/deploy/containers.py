"""Builds and runs a Containerfile on this machine without a container engine.

Each stage is an overlay over this machine's own root, which stands in for the base image. Its instructions run in it as
they are written. The image then runs as a container engine runs it: with a read-only root, without capabilities, and in
a network of its own. All this needs root.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from tests.deploy.paths import ROOT

# What tells pip and npm where the registries of this machine are.
REGISTRIES = re.compile(r"(?i)(pip|npm|ssl|requests|http|https|no)_.*")
MOUNTED = 'mount -t overlay -o "$1" overlay "$2" && mount --rbind /dev "$2/dev" && mount -t proc proc "$2/proc"'
BUILT = f'{MOUNTED} && shift 2 && exec "$@"'
RUN = f'ip link set lo up && {MOUNTED} && mount --bind "$3" "$2/data" && shift 3 && exec "$@"'


@dataclass(frozen=True)
class Image:
    """What a stage made: its files above those of the base, and how a container of it starts."""

    folder: Path
    environ: dict[str, str]
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    health_check: tuple[str, ...] = ()

    @property
    def files(self) -> Path:
        """What differs from the base."""
        return self.folder / "files"

    def mount_arguments(self, *, is_read_only: bool) -> tuple[str, str]:
        """The options of the overlay, and the folder that it is seen at."""
        options = f"lowerdir=/,upperdir={self.files},workdir={self.folder / 'work'}"
        return options + (",ro" if is_read_only else ""), str(self.folder / "root")


def read_instructions(file: Path) -> list[tuple[str, str]]:
    """The instructions of a Containerfile, each with its arguments on one line."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def build(file: Path, folder: Path) -> Image:
    """Runs every instruction, and returns the image of the last stage."""
    context = folder / "context"
    _copy_context(ROOT, context, (ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    stages: dict[str, Image] = {}
    image = None
    for name, rest in read_instructions(file):
        if name == "FROM":
            stage = rest.partition(" AS ")[2] or "last"
            image = stages[stage] = _base(folder / stage)
            continue
        assert image is not None, "a Containerfile begins with FROM"
        for stage, each in stages.items():
            if each is image:
                image = stages[stage] = _follow(image, name, rest, context, stages)
                break
    return stages["last"]


def _base(folder: Path) -> Image:
    for name in ("files", "work", "root"):
        (folder / name).mkdir(parents=True)
    # This machine's interpreter is the one that a base image has as `python`. It may lie in the home of root, which
    # nobody else may enter.
    programs = Path(sys.base_prefix, "bin")
    image = Image(folder, environ={"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin:/usr/sbin"})
    (image.files / "root").mkdir(mode=0o755)
    placed = image.files / str(programs).lstrip("/")
    placed.mkdir(parents=True, exist_ok=True)
    (placed / "python").symlink_to(f"python{sys.version_info.major}.{sys.version_info.minor}")
    return image


def _follow(image: Image, name: str, rest: str, context: Path, stages: dict[str, Image]) -> Image:
    match name:
        case "WORKDIR":
            (image.files / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            return replace(image, workdir=rest)
        case "ENV":
            pairs = dict(pair.split("=", 1) for pair in shlex.split(rest))
            known = {each: value.replace("$PATH", image.environ["PATH"]) for each, value in pairs.items()}
            return replace(image, environ=image.environ | known)
        case "COPY":
            options, *paths = shlex.split(rest) if rest.startswith("--") else ["", *shlex.split(rest)]
            source = stages[options.removeprefix("--from=")].files if options else context
            _copy(source, paths[:-1], image.files / str(Path(image.workdir, paths[-1])).lstrip("/"))
        case "RUN":
            _run(image, rest)
        case "USER":
            return replace(image, user=rest)
        case "ENTRYPOINT":
            return replace(image, entrypoint=tuple(json.loads(rest)))
        case "CMD":
            return replace(image, command=tuple(json.loads(rest)))
        case "HEALTHCHECK":
            return replace(image, health_check=tuple(json.loads(rest.partition("CMD ")[2])))
        case "VOLUME":
            assert rest == "/data"
        case "EXPOSE":
            assert rest == "8321"
        case _:
            raise AssertionError(f"The tests do not know the instruction {name}.")
    return image


def _run(image: Image, command: str) -> None:
    options, root = image.mount_arguments(is_read_only=False)
    environ = {name: value for name, value in os.environ.items() if REGISTRIES.fullmatch(name)}
    # Without the files that only save time later, and with the packages that this machine has fetched before.
    environ |= image.environ | {"HOME": "/root", "PIP_NO_COMPILE": "1", "PIP_NO_CACHE_DIR": "0"}
    inside = ("chroot", root, "sh", "-c", f"cd {image.workdir} && {command}")
    program = ("unshare", "--mount", "sh", "-c", BUILT, "build", options, root, *inside)
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def _copy(source: Path, names: list[str], target: Path) -> None:
    for name in names:
        found = source / name.lstrip("/")
        if found.is_dir():
            shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, target)


def _copy_context(folder: Path, target: Path, patterns: list[str]) -> None:
    """Copies what .dockerignore lets through. The last pattern that matches a path decides."""

    def ignored(directory: str, names: list[str]) -> set[str]:
        return {name for name in names if is_ignored(Path(directory, name).relative_to(folder).as_posix())}

    def is_ignored(path: str) -> bool:
        verdict = False
        for pattern in patterns:
            wanted = pattern.removeprefix("!")
            parts = path.split("/")
            starts = ["/".join(parts[: count + 1]) for count in range(len(parts))]
            is_anywhere = wanted.startswith("**/") and wanted[3:] in parts
            if is_anywhere or any(start.count("/") == wanted.count("/") and fnmatch(start, wanted) for start in starts):
                verdict = not pattern.startswith("!")
        return verdict

    shutil.copytree(folder, target, ignore=ignored)


class Container:
    """A running container of an image. Its volume is the folder that is given."""

    def __init__(self, image: Image, volume: Path, log: Path, **environ: str) -> None:
        self._image = image
        shutil.copytree(image.files / "data", volume)
        owner, group = map(int, image.user.split(":"))
        os.chown(volume, owner, group)
        options, root = image.mount_arguments(is_read_only=True)
        inside = ("chroot", root, *self._as_user(), *image.entrypoint, *image.command)
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ("unshare", "--mount", "--net", "sh", "-c", RUN, "run", options, root, str(volume), *inside),
                env=image.environ | environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _as_user(self) -> tuple[str, ...]:
        user, _, group = self._image.user.partition(":")
        dropped = ("--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
        enter = ("sh", "-c", f'cd {self._image.workdir} && exec "$@"', "in")
        return ("setpriv", "--reuid", user, "--regid", group, *dropped, *enter)

    def log(self) -> str:
        """What it printed."""
        return self._log.read_text(encoding="utf-8")

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command in the container, as `docker exec` does."""
        enter = ("nsenter", "--target", str(self.process.pid), "--mount", "--net", "--root")
        return subprocess.run(
            (*enter, *self._as_user(), *command),
            env=self._image.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def visit(self, module: str, *arguments: str) -> str:
        """Runs a module of the tests beside the container, in its network, and returns what it prints."""
        enter = ("nsenter", "--target", str(self.process.pid), "--net")
        program = (*enter, sys.executable, "-m", module, *arguments)
        done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr + self.log()
        return done.stdout

    def is_healthy(self) -> bool:
        """Whether the image's own health check succeeds."""
        return self.run(*self._image.health_check).returncode == 0

    def stop(self) -> int:
        """Ends it as an engine does, and returns its exit code."""
        self.process.terminate()
        return self.process.wait(30)
