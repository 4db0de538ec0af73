#!/usr/bin/python3
"""configure.py SOURCE: whoever only builds needs nothing but the packages of `scripts/packages build`: configuring without
tests and benchmarks succeeds where there is no python3, no compiler cache and no other linker."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HIDDEN = re.compile(r"(python|pytest|ccache|mold|ld\.mold|git|sudo|gtest|swaks|unshare)")
FOLDERS = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")


def path_without(hidden, folder):
    """A folder of links to all programs of the system but those whose names begin with `hidden`."""
    for source in FOLDERS:
        for program in pathlib.Path(source).iterdir():
            link = folder / program.name
            if not hidden.match(program.name) and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def main():
    source = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        programs = pathlib.Path(temporary) / "bin"
        programs.mkdir()
        configured = subprocess.run(
            ["cmake", "-S", source, "-B", pathlib.Path(temporary) / "build", "-G", "Ninja",
             "-DCMAKE_BUILD_TYPE=Release", "-DMAILSTEAD_TESTS=OFF", "-DMAILSTEAD_BENCH=OFF",
             "-DCMAKE_IGNORE_PATH=" + ";".join(FOLDERS),  # find_program would look there whatever PATH says
             "-DCMAKE_DISABLE_FIND_PACKAGE_Python3=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON",
             "-DCMAKE_DISABLE_FIND_PACKAGE_benchmark=ON"],
            env={"PATH": path_without(HIDDEN, programs), "HOME": temporary}, text=True, capture_output=True, check=False)
    if configured.returncode != 0:
        print(configured.stdout + configured.stderr)
        print("configure: FAILED without python3")
        return 1
    print("configure: succeeds without python3")
    return 0


if __name__ == "__main__":
    sys.exit(main())
