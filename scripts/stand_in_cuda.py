"""Makes stand-ins for the CUDA libraries that the Python package torch asks for, so that tests can import it where they are not installed.

    python3 scripts/stand_in_cuda.py SITE FOLDER

SITE holds torch/ and perhaps nvidia/. FOLDER gets the libraries that SITE lacks, with functions that do nothing, and links to those that it has.
Loaded before torch (as tests/e2e/python_weights.py does) they let its CPU part work; nothing may run on a GPU.
"""
import collections
import pathlib
import re
import subprocess
import sys

SYSTEM = re.compile(r"(ld-linux|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so)")
LOADED_LATER = ("libcaffe2_nvrtc.so", "libtorch_cuda_linalg.so")  # when a GPU is used


def read(option, library):
    return subprocess.run(["readelf", "-W", option, library], check=True, capture_output=True, text=True).stdout


site, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
present = {file.name: file for file in site.glob("**/*.so*")}
functions = collections.defaultdict(lambda: collections.defaultdict(set))  # library -> version -> names
for library in (site / "torch/lib").glob("*.so"):
    if library.name in LOADED_LATER:
        continue
    symbols = read("--dyn-syms", library)
    for wanted in re.findall(r"NEEDED.*\[(.*)\]", read("-d", library)):
        if wanted in present:
            if present[wanted].parent != library.parent and not (folder / wanted).exists():
                (folder / wanted).symlink_to(present[wanted])
        elif not SYSTEM.match(wanted):
            functions[wanted][""].update(re.findall(r" UND ((?:cu|nccl|nvshmem)\w+)$", symbols, re.MULTILINE))
    owner = {}
    for line in read("-V", library).splitlines():
        if found := re.search(r"File: (\S+)", line):
            file = found[1]
        elif found := re.search(r"Name: (\S+)\s+Flags", line):
            owner[found[1]] = file
    for name, version in re.findall(r" UND (\w+)@(\S+)", symbols):
        if owner.get(version) in functions:
            functions[owner[version]][version].add(name)
for library, versions in functions.items():
    source, script, stand_in = folder / "stand_in.c", folder / "stand_in.map", folder / library
    source.write_text("".join(f"void {name}(void) {{}}\n" for names in versions.values() for name in sorted(names)))
    script.write_text("".join(f"{version} {{ {' '.join(f'{name};' for name in sorted(names))} }};\n" for version, names in versions.items() if version))
    versioned = [f"-Wl,--version-script,{script}"] if script.stat().st_size else []
    subprocess.run(["cc", "-shared", "-o", stand_in, source, f"-Wl,-soname,{library}", *versioned], check=True)
    source.unlink()
    script.unlink()
