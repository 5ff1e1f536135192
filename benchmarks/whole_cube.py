"""One analysis of a cube in a new process: import, read the stacked cube, fit with covariance; time and peak memory.

python benchmarks/whole_cube.py gammajax|gammapy FOLDER
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

CENTRE = (258.39, -39.76)
NAME = "rxj1713"
START = {"index": 2.3, "amplitude": 1.5e-11, "lon_0": CENTRE[0], "lat_0": CENTRE[1], "sigma": 0.4}


def our_models() -> Any:
    """A power law from a round Gaussian, and the background with norm and tilt."""
    import gammajax as gj

    start = {name: START[name] for name in ("lon_0", "lat_0", "sigma")}
    spectrum = gj.PowerLaw(index=START["index"], amplitude=START["amplitude"], reference=1.0)
    models = gj.Models(
        rxj=gj.SkyModel(spectrum, gj.GaussianSpatial(**start)), bkg=gj.FoVBackground(datasets_names=NAME)
    )
    return models.free("bkg.spectral.tilt", "bkg.spectral.norm").bound("rxj.spatial.sigma", 0.1, 1.0)


def their_models() -> list[Any]:
    """The same in Gammapy, with the limits on the position that its fit needs."""
    import astropy.units as u
    from gammapy.modeling.models import FoVBackgroundModel, GaussianSpatialModel, PowerLawSpectralModel, SkyModel

    spatial = GaussianSpatialModel(
        lon_0=CENTRE[0] * u.deg, lat_0=CENTRE[1] * u.deg, sigma=START["sigma"] * u.deg, frame="icrs"
    )
    spatial.lon_0.min, spatial.lon_0.max = CENTRE[0] - 1, CENTRE[0] + 1
    spatial.lat_0.min, spatial.lat_0.max = CENTRE[1] - 1, CENTRE[1] + 1
    spatial.sigma.min, spatial.sigma.max = 0.1, 1.0
    spectral = PowerLawSpectralModel(
        index=START["index"], amplitude=START["amplitude"] * u.Unit("cm-2 s-1 TeV-1"), reference=1 * u.TeV
    )
    background = FoVBackgroundModel(dataset_name=NAME)
    background.spectral_model.tilt.frozen = False
    return [SkyModel(spectral, spatial, name="rxj"), background]


def main(side: str, folder: Path) -> None:
    """Run one side; prints JSON: seconds after the imports, and the peak memory [MB]."""
    if side == "gammapy":
        from gammapy.datasets import MapDataset
        from gammapy.modeling import Fit

        begin = time.perf_counter()
        dataset = MapDataset.read(next(folder.glob("*.fits*")), name=NAME)
        dataset.models = their_models()
        Fit().run([dataset])
    else:
        import jax

        import gammajax as gj

        jax.config.update("jax_enable_x64", True)
        begin = time.perf_counter()
        gj.fit(gj.Datasets.read(folder / "datasets.yaml"), our_models())
    used = time.perf_counter() - begin
    print(json.dumps({"read_and_fit_s": used, "peak_mb": peak()}))


def peak() -> float:
    """Peak memory [MB] of this process; what `getrusage` tells is that of its parent, if that was larger."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
