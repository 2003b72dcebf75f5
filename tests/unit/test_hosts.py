"""Set-up on other machines: the packages that are installed, the Python, and what is refused.

Machines are folders: commands that are stand-ins, or links to the real ones, and a file system.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Each of them starts processes.
pytestmark = pytest.mark.slow

TOOLS = [
    *("awk", "bash", "cat", "chmod", "cp", "dirname", "env", "find", "grep", "make", "mkdir", "rm"),
    *("sed", "tee"),
]
BASE = [
    *("python3", "python3-venv", "python3-dev", "gcc", "libc6-dev", "zlib1g-dev", "nasm", "g++"),
    *("nodejs", "npm"),
]
COMPILER = ["cc", "nasm", "c++", "node", "npm"]
HEADERS = ["stdio.h", "x86_64-linux-gnu/zlib.h"]
BENCH = ["libvips-tools", "fuse3", "libfuse3-dev", "nginx-light", "iipimage-server", "wrk"]

# The interpreter that runs the tests, but of another version; and without ensurepip, as Debian has
# it before python3-venv is installed.
PYTHON = """
import sys, sysconfig
version, complete, option, *rest = sys.argv[1:]
sys.version_info = (*map(int, version.split(".")), 0, "final", 0)
if complete == "no":
    sys.modules["ensurepip"] = None
exec(rest[0] if option == "-c" else sys.stdin.read())
"""

# Leaves what was asked of it, and installs what is in the folder "brought".
APT_GET = """#!/bin/sh
echo "$@" >>{machine}/asked
[ "$1" != update ] || [ ! -e {machine}/offline ] || exit 100
case " $* " in *" install "*) [ -e {machine}/full ] && exit 100; cp -a {brought}/. {bin};; esac
"""


class Machine:
    """A machine with the commands of a minimal Debian 13, and make."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "machine"
        self.bin = folder / "bin"
        self.brought = folder / "brought"
        for path in (self.bin, self.brought, folder / "work"):
            path.mkdir()
        for name in ("etc", "proc", "usr/include/x86_64-linux-gnu", "usr/sbin"):
            (self.root / name).mkdir(parents=True)
        self.work = folder / "work"
        self.file("proc/cpuinfo", "flags\t\t: fpu sse2 avx avx2\n")
        self.release("debian", "13")
        for name in TOOLS:
            (self.bin / name).symlink_to(shutil.which(name))
        self.has(id="echo 0", uname='[ "$1" = -s ] && echo Linux || echo x86_64')
        self.command(
            "apt-get",
            APT_GET.format(machine=self.root, brought=self.brought, bin=self.bin),
        )
        self.python("python3", "3.13", to=self.brought)

    def file(self, name: str, text: str = "") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def command(self, name: str, text: str, to: Path | None = None) -> None:
        path = (to or self.bin) / name
        path.write_text(text)
        path.chmod(0o755)

    def has(self, *names: str, **commands: str) -> None:
        for name, text in {**dict.fromkeys(names, ":"), **commands}.items():
            self.command(name, f"#!/bin/sh\n{text}\n")

    def release(self, name: str, version: str) -> None:
        self.file("etc/os-release", f'NAME="Any"\nID={name}\nVERSION_ID="{version}"\n')

    def python(
        self, name: str, version: str, *, complete: bool = True, to: Path | None = None
    ) -> None:
        code = f"{sys.executable} -c '{PYTHON}' {version} {'yes' if complete else 'no'}"
        self.command(name, f'#!/bin/sh\nexec {code} "$@"\n', to)

    def complete(self) -> None:
        """Give it all that the project needs without any tests."""
        self.python("python3", "3.13")
        self.has(*COMPILER)
        for name in HEADERS:
            self.file(f"usr/include/{name}")

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            command,
            cwd=cwd or self.work,
            env={"PATH": str(self.bin), "HOME": str(self.work), "MACHINE_ROOT": str(self.root)},
            capture_output=True,
            text=True,
            check=False,
        )

    def packages(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.run("bash", str(ROOT / "local" / "packages.sh"), *arguments)

    @property
    def asked(self) -> list[str]:
        """What apt-get was asked for."""
        path = self.root / "asked"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def installed(self) -> list[str]:
        words = self.asked[-1].split() if self.asked else []
        return [word for word in words[1:] if not word.startswith("-")]

    def make(self, *arguments: str) -> str:
        """Return what make says to that, without a word of complaint."""
        done = self.run("make", "--no-print-directory", *arguments, cwd=ROOT)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


# ─── Packages ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("release", "python"),
    [(("debian", "13"), "3.13"), (("debian", "12"), "3.11"), (("ubuntu", "24.04"), "3.12")],
)
def test_a_bare_machine_gets_what_the_project_needs(machine, release, python):
    machine.release(*release)
    machine.python("python3", python, to=machine.brought)
    done = machine.packages("python3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Installing packages: {' '.join(BASE)}\n"
    assert machine.asked[0].split()[0] == "update"
    assert machine.installed == BASE
    assert "--no-install-recommends" in machine.asked[-1]


@pytest.mark.parametrize("groups", [[], ["test"], ["test", "bench"]])
def test_a_complete_machine_is_left_alone(machine, groups):
    machine.complete()
    machine.has("strace", "vips", "fusermount3", "wrk")
    for name in (
        *("usr/include/fuse3/fuse_lowlevel.h", "usr/sbin/nginx"),
        "usr/lib/iipimage-server/iipsrv.fcgi",
    ):
        machine.file(name)
    done = machine.packages("python3", *groups)
    assert (done.returncode, done.stdout, done.stderr, machine.asked) == (0, "", "", [])


@pytest.mark.parametrize(
    ("groups", "packages"),
    [
        (["test"], ["strace"]),
        (["test", "bench"], ["strace", *BENCH]),
        (["web"], ["chromium", "fonts-liberation", "firefox-esr"]),
    ],
)
def test_tests_and_benchmarks_get_what_they_need_besides(machine, groups, packages):
    machine.complete()
    assert machine.packages("python3", *groups).returncode == 0
    assert machine.installed == packages


@pytest.mark.parametrize("lacking", [*COMPILER, *HEADERS])
def test_what_is_missing_alone_is_installed_alone(machine, lacking):
    machine.complete()
    for path in (machine.bin / lacking, machine.root / "usr" / "include" / lacking):
        path.unlink(missing_ok=True)
    assert machine.packages("python3").returncode == 0
    assert len(machine.installed) == 1
    assert machine.installed[0] in BASE


def test_ubuntu_has_no_browsers_and_says_where_they_are(machine):
    machine.release("ubuntu", "24.04")
    machine.complete()
    done = machine.packages("python3", "test", "web")
    assert done.returncode == 1
    assert "playwright install --with-deps chromium" in done.stderr
    assert "browsers install firefox" in done.stderr
    machine.has("google-chrome")
    assert machine.packages("python3", "web").returncode == 1
    assert machine.asked == []
    machine.has("firefox")
    assert machine.packages("python3", "web").returncode == 0
    assert machine.asked == []


def test_without_root_sudo_installs(machine):
    machine.has(id="echo 1000", sudo=f'echo sudo "$1" >>{machine.root}/sudo\nexec "$@"')
    assert machine.packages("python3").returncode == 0
    assert machine.installed == BASE
    assert "sudo apt-get" in (machine.root / "sudo").read_text()


def test_without_root_and_sudo_it_says_what_to_install(machine):
    machine.has(id="echo 1000")
    done = machine.packages("python3")
    assert (done.returncode, machine.asked) == (1, [])
    assert done.stderr == f"error: as root, install: {' '.join(BASE)}\n"


def test_without_apt_it_says_what_to_install(machine):
    (machine.bin / "apt-get").unlink()
    done = machine.packages("python3")
    assert done.returncode == 1
    assert done.stderr.startswith("error: this is not Debian or Ubuntu")
    assert done.stderr.endswith(f": {' '.join(BASE)}\n")


@pytest.mark.parametrize(("state", "step"), [("offline", "update"), ("full", "install")])
def test_a_failure_of_apt_names_its_log(machine, state, step):
    machine.file(state)
    done = machine.packages("python3")
    assert done.returncode == 1
    assert done.stderr == f"error: apt-get {step} failed: see .local/log/packages.log\n"
    assert (machine.work / ".local" / "log" / "packages.log").exists()
    assert list((machine.root / "usr" / "sbin").iterdir()) == []


def test_servers_that_are_installed_do_not_start(machine):
    policy = machine.root / "usr" / "sbin" / "policy-rc.d"
    machine.command(
        "apt-get",
        f"#!/bin/sh\n[ $1 = update ] || {policy} >/dev/null; echo $? >>{machine.root}/asked\n",
    )
    machine.complete()
    assert machine.packages("python3", "bench").returncode == 0
    assert machine.asked == ["0", "101"]
    assert not policy.exists()


# ─── What is refused ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("system", "processor"), [("Darwin", "arm64"), ("Darwin", "x86_64"), ("Linux", "aarch64")]
)
def test_other_systems_are_told_where_it_runs(machine, system, processor):
    machine.has(uname=f'[ "$1" = -s ] && echo {system} || echo {processor}')
    done = machine.packages("python3")
    assert (done.returncode, machine.asked) == (1, [])
    assert "Linux on x86-64" in done.stderr
    assert "wsl --install Debian" in done.stderr
    assert "docker run --platform linux/amd64" in done.stderr


def test_a_processor_without_avx2_is_refused(machine):
    machine.file("proc/cpuinfo", "flags\t\t: fpu sse2 avx avx2_like\n")
    done = machine.packages("python3")
    assert (done.returncode, machine.asked) == (1, [])
    assert "no AVX2" in done.stderr


@pytest.mark.parametrize("version", ["3.10", "3.14", "4.0"])
def test_a_python_without_pinned_packages_is_refused(machine, version):
    machine.complete()
    machine.python("python3", version)
    done = machine.packages("python3")
    assert (done.returncode, machine.asked) == (1, [])
    assert f"needs Python 3.11 to 3.13, and python3 is Python {version}." in done.stderr


def test_so_is_one_that_the_distribution_brings(machine):
    machine.release("ubuntu", "22.04")
    machine.python("python3", "3.10", to=machine.brought)
    done = machine.packages("python3")
    assert done.returncode == 1
    assert "python3 is Python 3.10." in done.stderr


def test_a_python_that_is_not_there_is_refused(machine):
    machine.complete()
    done = machine.packages("/opt/python3.13")
    assert (done.returncode, machine.asked) == (1, [])
    assert done.stderr == "error: /opt/python3.13 does not run here\n"


def test_a_python_without_venv_gets_it(machine):
    machine.complete()
    machine.python("python3", "3.13", complete=False)
    assert machine.packages("python3").returncode == 0
    assert machine.installed == BASE[:3]


def test_a_python_that_no_package_completes_is_refused(machine):
    machine.complete()
    machine.python("python3.12", "3.12", complete=False)
    done = machine.packages("python3.12")
    assert done.returncode == 1
    assert done.stderr.startswith("error: python3.12 lacks venv")
    assert "make PYTHON=/usr/bin/python3" in done.stderr


# ─── The Makefile's choice ───────────────────────────────────────────────────────────────────────


def chosen(machine: Machine, *arguments: str) -> list[str]:
    """Return the interpreter that make uses, and its version."""
    show = "show: ; @echo $(PYTHON) $(PYTHON_VERSION)"
    return machine.make("--eval", show, "show", *arguments).split()


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ({"python3": "3.13"}, "python3"),
        ({"python3": "3.11", "python3.13": "3.13"}, "python3.13"),
        ({"python3": "3.11", "python3.12": "3.12"}, "python3.12"),
        ({"python3": "3.12", "python3.12": "3.12", "python3.13": "3.13"}, "python3.13"),
        ({"python3": "3.9", "python3.11": "3.11"}, "python3.11"),
        ({"python3": "3.14", "python3.12": "3.12"}, "python3.12"),
        ({"python3": "3.14", "python3.11": "3.11"}, "python3.11"),
        ({"python3.11": "3.11"}, "python3.11"),
    ],
)
def test_make_takes_the_newest_python_that_lambda_and_the_pins_have(machine, there, name):
    for each, version in there.items():
        machine.python(each, version)
    assert chosen(machine) == [str(machine.bin / name), there[name]]


def test_make_passes_over_a_python_that_does_not_run(machine):
    machine.has(**{"python3.13": "exit 127", "python3": "exit 1"})
    machine.python("python3.12", "3.12")
    assert chosen(machine) == [str(machine.bin / "python3.12"), "3.12"]


def test_make_takes_the_python_that_it_is_given(machine):
    for version in ("3.11", "3.13"):
        machine.python(f"python{version}", version)
    assert chosen(machine, "PYTHON=python3.11") == ["python3.11", "3.11"]


def test_make_works_where_there_is_no_python_yet(machine):
    """It says nothing about that: ``packages.sh`` installs python3."""
    assert chosen(machine) == ["python3"]
    assert "make" not in machine.make("help").splitlines()[0]


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_make_leaves_it_to_the_packages_to_refuse_a_version(machine, version):
    machine.python("python3", version)
    assert chosen(machine) == ["python3", version]


@pytest.mark.parametrize(
    ("made_with", "now", "again"),
    [("3.13.5", "3.13", ""), ("3.11.2", "3.13", "other-python"), (None, "3.13", "other-python")],
)
def test_an_environment_of_another_python_is_made_again(machine, made_with, now, again):
    machine.python("python3", now)
    environment = machine.work / "environment"
    environment.mkdir()
    if made_with:
        (environment / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {made_with}\n")
    show = f"show: ; @echo $(call other_python,{environment})"
    assert machine.make("--eval", show, "show") == again
