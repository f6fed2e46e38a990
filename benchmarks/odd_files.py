"""A folder of odd files, as people have them: what ``matopt data check`` says of each kind, and how long it takes.

Usage: python benchmarks/odd_files.py [--files 658] [--quick]

The files are made up: images of a porous texture in formats that matopt reads, and what lies beside images or is taken
for them: cut off, empty, of one phase, web pages under an image's name. Of each kind it is known which can be read.
All are checked by one call of the command. The last line of the output is the table of goals, as JSON.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import h5py
import nrrd
import numpy as np
import scipy.io
import tifffile
from page import table
from PIL import Image

from matopt.testing.images import random_microstructures

READ, REFUSED = "read", "refused"


def texture(seed: int, shape: tuple[int, ...] = (48, 56)) -> np.ndarray:
    """Phases ``shape``, 1 in grain."""
    return random_microstructures(1, shape, seed=seed).phases[0].astype(np.uint8)


def grey(seed: int) -> np.ndarray:
    """Grey levels of two phases with noise."""
    noise = np.random.default_rng(seed).normal(0, 15, (48, 56))
    return (70 + 110 * texture(seed) + noise).clip(0, 255).astype(np.uint8)


def picture(levels: np.ndarray, path: Path) -> None:
    """Write with Pillow."""
    Image.fromarray(levels).save(path)


def encoded(levels: np.ndarray, form: str) -> bytes:
    """What Pillow would write."""
    held = io.BytesIO()
    Image.fromarray(levels).save(held, form)
    return held.getvalue()


def two_colours(seed: int, path: Path) -> None:
    """An exported colour map: two colours, and a frame."""
    colours = np.array([[59, 76, 192], [221, 221, 221]], np.uint8)[texture(seed)]
    colours[[0, -1]] = colours[:, [0, -1]] = 0
    picture(colours, path)


def slices(seed: int, path: Path) -> None:
    """A stack that was written page by page."""
    for page in texture(seed, (6, 24, 32)) * 255:
        tifffile.imwrite(path, page, append=True)


def hdf5(seed: int, path: Path) -> None:
    """A volume among other things."""
    with h5py.File(path, "w") as file:
        file["meta/angles"] = np.arange(5)
        file["exchange/data"] = texture(seed, (16, 16, 16))


def numbered(seed: int, path: Path) -> None:
    """Blocks that are numbered: grains, not phases."""
    np.save(path, np.kron(np.random.default_rng(seed).permutation(64).reshape(8, 8), np.ones((6, 6), int)))


def with_nan(seed: int, path: Path) -> None:
    """Something is missing."""
    levels = texture(seed).astype(float)
    levels[3, 4] = np.nan
    np.save(path, levels)


def zipped_text(seed: int, path: Path) -> None:
    """An archive without an image."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.txt", "data on request")


def text(words: str) -> Callable[[int, Path], None]:
    """A file that holds these words."""
    return lambda seed, path: path.write_text(words)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
PAGE = "<!DOCTYPE html><html><body>404 Not Found</body></html>"

KINDS: dict[str, tuple[str, str, Callable[[int, Path], object]]] = {
    "two levels": (".png", READ, lambda n, p: picture(texture(n) * 255, p)),
    "grey": (".png", READ, lambda n, p: picture(grey(n), p)),
    "grey, in colours": (".png", READ, lambda n, p: picture(np.stack([grey(n)] * 3, -1), p)),
    "two colours and a frame": (".png", REFUSED, two_colours),
    "one bit": (".bmp", READ, lambda n, p: picture(texture(n).astype(bool), p)),
    "lossy": (".jpg", READ, lambda n, p: picture(grey(n), p)),
    "16 bits": (".tif", READ, lambda n, p: tifffile.imwrite(p, grey(n).astype(np.uint16) * 257)),
    "pages": (".tif", READ, slices),
    "truth values": (".npy", READ, lambda n, p: np.save(p, texture(n).astype(bool))),
    "three levels": (
        ".npy",
        READ,
        lambda n, p: np.save(p, texture(n) + np.pad(np.zeros((46, 54), int), 1, constant_values=3)),
    ),
    "one array by name": (".npz", READ, lambda n, p: np.savez(p, image=texture(n))),
    "MATLAB": (".mat", READ, lambda n, p: scipy.io.savemat(p, {"im": texture(n)})),
    "HDF5": (".h5", READ, hdf5),
    "NRRD with spacing": (
        ".nrrd",
        READ,
        lambda n, p: nrrd.write(str(p), texture(n, (16, 16, 16)), {"spacings": [2.5] * 3}),
    ),
    "table": (".csv", READ, lambda n, p: np.savetxt(p, texture(n), fmt="%d", delimiter=",")),
    "decimal commas": (
        ".txt",
        READ,
        lambda n, p: p.write_text("\n".join(";".join(f"{v},0" for v in r) for r in texture(n))),
    ),
    "compressed": (".npy.gz", READ, lambda n, p: p.write_bytes(gzip.compress(_npy(texture(n))))),
    "empty": (".tif", REFUSED, text("")),
    "cut off": (".png", REFUSED, lambda n, p: p.write_bytes(encoded(grey(n), "PNG")[:300])),
    "web page": (".tif", REFUSED, text(PAGE)),
    "pointer of Git LFS": (".npy", REFUSED, text(POINTER)),
    "one phase": (".png", REFUSED, lambda n, p: picture(np.full((40, 40), 7 + n % 3, np.uint8), p)),
    "numbered grains": (".npy", REFUSED, numbered),
    "missing values": (".npy", REFUSED, with_nan),
    "four axes": (".npy", REFUSED, lambda n, p: np.save(p, np.stack([texture(n, (8, 8, 8))] * 3))),
    "several arrays": (".npz", REFUSED, lambda n, p: np.savez(p, a=texture(n), b=texture(n + 1))),
    "raw": (".raw", REFUSED, lambda n, p: texture(n).tofile(p)),
    "another program's": (".czi", REFUSED, lambda n, p: p.write_bytes(b"ZISRAWFILE" + bytes(200))),
    "archive of text": (".zip", REFUSED, zipped_text),
    "notes": (".txt", REFUSED, text("the sample was dried at 105 degrees\nand weighed\n")),
}


def _npy(array: np.ndarray) -> bytes:
    held = io.BytesIO()
    np.save(held, array)
    return held.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=658)
    parser.add_argument("--quick", action="store_true", help="60 files")
    arguments = parser.parse_args()
    count = 60 if arguments.quick else arguments.files
    with tempfile.TemporaryDirectory() as folder:
        kinds = {}
        for number in range(count):
            kind = list(KINDS)[number % len(KINDS)]
            ending, _, write = KINDS[kind]
            path = Path(folder) / f"{number:04}{ending}"
            write(number, path)
            kinds[path] = kind
        start = time.perf_counter()
        command = [sys.executable, "-m", "matopt", "data", "check", *map(str, kinds)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    said: dict[Path, list[str]] = defaultdict(list)
    refusals = [line.removeprefix("matopt: ") for line in done.stderr.splitlines() if line.startswith("matopt: ")]
    for line in refusals:
        for path in kinds:
            if line.startswith(str(path)):
                said[path].append(line.removeprefix(str(path)).lstrip(": "))
    rows, wrong = [], 0
    for kind, (ending, expected, _) in KINDS.items():
        paths = [path for path, of in kinds.items() if of == kind]
        refused = [path for path in paths if path in said]
        wrong += len(refused) if expected == READ else len(paths) - len(refused)
        first = said[refused[0]][0] if refused else ""
        rows.append({"kind": kind, "ending": ending, "files": len(paths), "refused": len(refused), "said": first})
    print(table(rows))
    tracebacks = done.stderr.count("Traceback")
    print(f"\n{count} files in {seconds:.1f} s, the start of the program among them; exit code {done.returncode}\n")
    per_file = 1000 * seconds / count
    goals = {
        "files read that cannot be, or refused that can": (wrong, 0, wrong == 0),
        "tracebacks": (tracebacks, 0, tracebacks == 0),
        "lines a refusal": (len(refusals) / max(1, len(said) + 1), 1, len(refusals) == len(said) + 1),
        "a file [ms]": (round(per_file, 1), 100, per_file <= 100),
    }
    print(json.dumps({"goals": goals}))


if __name__ == "__main__":
    main()
