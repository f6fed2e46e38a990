"""Cases about right and wrong: closed forms, bounds, default settings, and Berea sandstone in real units."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from specimens import VOXEL, ball, cube, density, slices

from matopt.physics.base import SIMULATORS, Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import SQUARE_METRES_A_MILLIDARCY, Permeability
from matopt.physics.youngs_modulus import YoungsModulus


def convergence(rock: np.ndarray) -> list[dict]:
    """Errors against published arrays as the grid gets finer."""
    rayleigh = 1 + 0.2 - 0.305827 * 0.2**4 / (1 - 1.402958 * 0.2**8) - 0.013362 * 0.2**8
    sphere = 1 / (6 * math.pi * (3 * 0.343 / 4 / math.pi) ** (1 / 3) * 15.4)
    plane, volume = (64, 128, 256, 512), (16, 32, 64, 96)
    cases = (
        ("square array of holes, f = 0.2 (Rayleigh)", Diffusivity(0.0, "periodic"), 2, 0.2, 1 - 0.4 / rayleigh, plane),
        (
            "square array of cylinders, c = 0.3 (Sangani, Acrivos)",
            Permeability("transverse", boundary="periodic"),
            2,
            0.3,
            1 / 102.90,
            plane,
        ),
        (
            "cubic array of spheres, c = 0.343 (Zick, Homsy)",
            Permeability(boundary="periodic"),
            3,
            0.343,
            sphere,
            volume,
        ),
    )
    rows = []
    for case, simulator, dimensions, share, exact, sizes in cases:
        errors = []
        for size in sizes:
            value = simulator.solve(density(ball(size, share, dimensions)[None]), 1 / size).values.item()
            errors.append(f"{size}: {100 * (value / exact - 1):+.2f} %")
        rows.append({"case": case, "error by size": ", ".join(errors)})
    return rows


def windows(rock: np.ndarray) -> list[dict]:
    """Default settings against tight solutions in double precision."""
    rows = []
    for size in (64, 128):
        cuts = density(slices(rock, size, 24))
        for name in SIMULATORS.names():
            kind = SIMULATORS.find(name)
            kind().solve(cuts[:1], VOXEL)  # makes what is kept between calls
            start = time.process_time()
            found = kind().solve(cuts, VOXEL)
            seconds = time.process_time() - start
            exact = kind(tolerance=1e-8).solve(cuts.double(), VOXEL)
            error = (found.values / exact.values - 1).abs()[torch.from_numpy(found.is_ok & exact.is_ok)]
            rows.append(
                {
                    "property": name,
                    "windows": f"{len(cuts)} of {size}^2",
                    "ms an image": 1e3 * seconds / len(cuts),
                    "iterations, median / most": f"{np.median(found.iterations):.0f} / {found.iterations.max()}",
                    "error, median": error.median().item(),
                    "error, largest": error.max().item(),
                    "ok": int(found.is_ok.sum()),
                }
            )
    return rows


def growth(kind: type[Simulator], corners: dict[int, tuple[int, ...]], rock: np.ndarray) -> list[dict]:
    """Iterations against size, in windows of Berea: one window's pores are not another's, so several where small."""
    rows = []
    for size, places in corners.items():
        start = time.process_time()
        found = [kind().solve(density(cube(rock, size, place)[None]), VOXEL) for place in places]
        iterations = [int(f.iterations[0]) for f in found]
        rows.append(
            {
                "simulator": kind.__name__,
                "Berea": f"{len(places)} of {size}^3",
                "iterations, median": float(np.median(iterations)),
                "least / most": f"{min(iterations)} / {max(iterations)}",
                "s a window": (time.process_time() - start) / len(places),
                "status": ", ".join(sorted({str(f.status[0]) for f in found})),
            }
        )
    return rows


def youngs_modulus_of_berea(rock: np.ndarray) -> list[dict]:
    """Moduli along each axis, from the tensor, under the Hashin-Shtrikman bound of their porosity."""
    rows = []
    for images in (slices(rock, 128, 24), np.stack([cube(rock, 64, corner) for corner in (0, 100, 200, 300)])):
        dimensions = images.ndim - 1
        simulator = YoungsModulus()
        found = [simulator.solve(density(image[None]), VOXEL) for image in images]
        compliance = np.stack([np.linalg.inv(f.tensor[0].double().numpy()) for f in found])
        along = 1e-9 / np.stack([compliance[:, axis, axis] for axis in range(dimensions)], 1)
        solid = torch.from_numpy(images.reshape(len(images), -1).mean(1))
        upper = 1e-9 * simulator.property.bounds(density(images).double())[1].numpy()
        edge = f"{len(images)} of {images.shape[1]}^{dimensions}"
        rows.append(
            {
                "Berea": edge,
                "porosity": f"{1 - solid.mean():.3f} +- {solid.std():.3f}",
                **{f"E along {axis} [GPa]": float(along[:, i].mean()) for i, axis in enumerate("xyz"[:dimensions])},
                "bound [GPa]": float(upper.mean()),
                "largest share of its bound": float((along / upper[:, None]).max()),
                "under it": f"{int((along <= upper[:, None]).sum())} of {along.size}",
                "ok": sum(bool(f.is_ok[0]) for f in found),
            }
        )
    columns = list(rows[-1])
    return [{column: row.get(column, "") for column in columns} for row in rows]


def mirror(rock: np.ndarray) -> list[dict]:
    """What periodic and mirrored samples of one size say, against whole slices."""
    planes = rock[50:400:50]
    rows = []
    for size in (64, 128, 400):
        places = range(0, rock.shape[1] - size + 1, size)
        cuts = np.stack([plane[y : y + size, x : x + size] for plane in planes for y in places for x in places])
        porosity = 1 - cuts.reshape(len(cuts), -1).mean(1)
        for boundary in ("periodic", "mirror"):
            start = time.process_time()
            found = YoungsModulus(boundary=boundary).solve(density(cuts), VOXEL)
            seconds = time.process_time() - start
            modulus = 1e-9 * found.values.double().numpy()
            line = np.polyval(np.polyfit(porosity, modulus, 1), porosity)
            rows.append(
                {
                    "windows": f"{len(cuts)} of {size}^2",
                    "boundary": boundary,
                    "mean E [GPa]": float(modulus.mean()),
                    "deviation [GPa]": float(modulus.std()),
                    "at equal porosity [GPa]": float((modulus - line).std()),
                    "s a window": seconds / len(cuts),
                    "ok": int(found.is_ok.sum()),
                }
            )
    return rows


def permeability_of_berea(flow: str, rock: np.ndarray) -> list[dict]:
    """Along one axis, of 128^3 voxels in the middle."""
    volume = cube(rock, 128, 136)
    start = time.process_time()
    found = Permeability(flow=flow).solve(density(volume[None]), VOXEL)
    return [
        {
            "Berea 128^3, along": flow,
            "porosity": float(1 - volume.mean()),
            "permeability [mD]": found.values.item() / SQUARE_METRES_A_MILLIDARCY,
            "status": str(found.status[0]),
            "iterations": int(found.iterations[0]),
            "s": time.process_time() - start,
        }
    ]
