"""gammajax: a differentiable, JAX-accelerated likelihood engine for gamma-ray astronomy."""

import importlib
import os
from typing import TYPE_CHECKING, Any

import jax

if "JAX_ENABLE_X64" not in os.environ:
    # Differences of large log likelihoods need double precision; JAX_ENABLE_X64=0 chooses the float32 mode.
    jax.config.update("jax_enable_x64", True)

if TYPE_CHECKING:
    from gammajax import plot as plot
    from gammajax._typing import Scalar as Scalar
    from gammajax.cache import enable_compilation_cache as enable_compilation_cache
    from gammajax.data.background import background_counts as background_counts
    from gammajax.data.background import background_in_circle as background_in_circle
    from gammajax.data.grouping import group_observations as group_observations
    from gammajax.data.gti import GTI as GTI
    from gammajax.data.observations import Observations as Observations
    from gammajax.data.phase import Ephemeris as Ephemeris
    from gammajax.data.phase import phase_fold as phase_fold
    from gammajax.data.store import DataStore as DataStore
    from gammajax.datasets.collection import Datasets as Datasets
    from gammajax.datasets.cube import MapDataset as MapDataset
    from gammajax.datasets.cube import MapDatasetOnOff as MapDatasetOnOff
    from gammajax.datasets.flux_points import FluxPointsDataset as FluxPointsDataset
    from gammajax.datasets.spectrum import SpectrumDataset as SpectrumDataset
    from gammajax.datasets.spectrum import SpectrumDatasetOnOff as SpectrumDatasetOnOff
    from gammajax.errors import GammajaxError as GammajaxError
    from gammajax.geom.axes import energy_edges as energy_edges
    from gammajax.geom.grid import SkyGrid as SkyGrid
    from gammajax.infer.band import flux_band as flux_band
    from gammajax.infer.band import posterior_band as posterior_band
    from gammajax.infer.compare import likelihood_ratio as likelihood_ratio
    from gammajax.infer.contour import contour as contour
    from gammajax.infer.contour import surface as surface
    from gammajax.infer.coverage import coverage as coverage
    from gammajax.infer.derived import energy_flux as energy_flux
    from gammajax.infer.derived import flux as flux
    from gammajax.infer.derived import pivot_energy as pivot_energy
    from gammajax.infer.evidence import Evidence as Evidence
    from gammajax.infer.evidence import evidence as evidence
    from gammajax.infer.fit import Fit as Fit
    from gammajax.infer.fit import fit as fit
    from gammajax.infer.goodness import goodness as goodness
    from gammajax.infer.limits import asymmetric_errors as asymmetric_errors
    from gammajax.infer.limits import lower_limit as lower_limit
    from gammajax.infer.limits import upper_limit as upper_limit
    from gammajax.infer.posterior import Posterior as Posterior
    from gammajax.infer.predictive import predictive as predictive
    from gammajax.infer.profile import Profile as Profile
    from gammajax.infer.profile import profile as profile
    from gammajax.infer.refit import refit_toys as refit_toys
    from gammajax.infer.sample import sample as sample
    from gammajax.infer.variational import Variational as Variational
    from gammajax.infer.variational import variational as variational
    from gammajax.io.regions import read_region as read_region
    from gammajax.io.regions import region as region
    from gammajax.io.skymap import read_exclusion_mask as read_exclusion_mask
    from gammajax.likelihood.expected import predict_counts as predict_counts
    from gammajax.likelihood.problem import Problem as Problem
    from gammajax.likelihood.problem import nll as nll
    from gammajax.likelihood.problem import stat as stat
    from gammajax.likelihood.toys import asimov as asimov
    from gammajax.likelihood.toys import fake as fake
    from gammajax.models.background import FoVBackground as FoVBackground
    from gammajax.models.background import FoVGradient as FoVGradient
    from gammajax.models.collection import Models as Models
    from gammajax.models.counts_template import TemplateNPred as TemplateNPred
    from gammajax.models.nuisance import BackgroundNorm as BackgroundNorm
    from gammajax.models.nuisance import EnergyScale as EnergyScale
    from gammajax.models.nuisance import ExposureNorm as ExposureNorm
    from gammajax.models.nuisance import ExposureShape as ExposureShape
    from gammajax.models.nuisance import ExposureTilt as ExposureTilt
    from gammajax.models.nuisance import Nuisance as Nuisance
    from gammajax.models.sky import SkyModel as SkyModel
    from gammajax.models.spatial import ConstantFluxSpatial as ConstantFluxSpatial
    from gammajax.models.spatial import ConstantSpatial as ConstantSpatial
    from gammajax.models.spatial import DiskSpatial as DiskSpatial
    from gammajax.models.spatial import GaussianSpatial as GaussianSpatial
    from gammajax.models.spatial import GeneralizedGaussianSpatial as GeneralizedGaussianSpatial
    from gammajax.models.spatial import PiecewiseNormSpatial as PiecewiseNormSpatial
    from gammajax.models.spatial import PointSpatial as PointSpatial
    from gammajax.models.spatial import Shell2Spatial as Shell2Spatial
    from gammajax.models.spatial import ShellSpatial as ShellSpatial
    from gammajax.models.spatial import SpatialModel as SpatialModel
    from gammajax.models.spatial import TemplateSpatial as TemplateSpatial
    from gammajax.models.spectral import BrokenPowerLaw as BrokenPowerLaw
    from gammajax.models.spectral import CompoundSpectralModel as CompoundSpectralModel
    from gammajax.models.spectral import ConstantSpectralModel as ConstantSpectralModel
    from gammajax.models.spectral import EBLAbsorptionNorm as EBLAbsorptionNorm
    from gammajax.models.spectral import ExpCutoffPowerLaw as ExpCutoffPowerLaw
    from gammajax.models.spectral import ExpCutoffPowerLaw3FGL as ExpCutoffPowerLaw3FGL
    from gammajax.models.spectral import ExpCutoffPowerLawNorm as ExpCutoffPowerLawNorm
    from gammajax.models.spectral import GaussianSpectralModel as GaussianSpectralModel
    from gammajax.models.spectral import LogGaussianSpectralModel as LogGaussianSpectralModel
    from gammajax.models.spectral import LogParabola as LogParabola
    from gammajax.models.spectral import LogParabola2 as LogParabola2
    from gammajax.models.spectral import LogParabolaNorm as LogParabolaNorm
    from gammajax.models.spectral import MeyerCrabSpectralModel as MeyerCrabSpectralModel
    from gammajax.models.spectral import NormSpectralModel as NormSpectralModel
    from gammajax.models.spectral import PiecewiseNormSpectralModel as PiecewiseNormSpectralModel
    from gammajax.models.spectral import PowerLaw as PowerLaw
    from gammajax.models.spectral import PowerLaw2 as PowerLaw2
    from gammajax.models.spectral import PowerLawNorm as PowerLawNorm
    from gammajax.models.spectral import ScaleSpectralModel as ScaleSpectralModel
    from gammajax.models.spectral import SmoothBrokenPowerLaw as SmoothBrokenPowerLaw
    from gammajax.models.spectral import SpectralModel as SpectralModel
    from gammajax.models.spectral import SuperExpCutoffPowerLaw3FGL as SuperExpCutoffPowerLaw3FGL
    from gammajax.models.spectral import SuperExpCutoffPowerLaw4FGL as SuperExpCutoffPowerLaw4FGL
    from gammajax.models.spectral import SuperExpCutoffPowerLaw4FGLDR3 as SuperExpCutoffPowerLaw4FGLDR3
    from gammajax.models.spectral import TemplateNDSpectralModel as TemplateNDSpectralModel
    from gammajax.models.spectral import TemplateSpectralModel as TemplateSpectralModel
    from gammajax.models.spectral import create_cosmic_ray_spectral_model as create_cosmic_ray_spectral_model
    from gammajax.models.spectral import create_crab_spectral_model as create_crab_spectral_model
    from gammajax.params.field import param as param
    from gammajax.params.field import table as table
    from gammajax.params.field import weights as weights
    from gammajax.params.joint import MultiNormal as MultiNormal
    from gammajax.params.priors import GeneralizedGaussian as GeneralizedGaussian
    from gammajax.params.priors import LogNormal as LogNormal
    from gammajax.params.priors import LogUniform as LogUniform
    from gammajax.params.priors import Normal as Normal
    from gammajax.params.priors import Tempered as Tempered
    from gammajax.params.priors import Uniform as Uniform
    from gammajax.reduce.background import IRFBackground as IRFBackground
    from gammajax.reduce.cube_pipeline import reduce_maps as reduce_maps
    from gammajax.reduce.cube_stack import stack_maps as stack_maps
    from gammajax.reduce.fov_scale import FoVBackgroundScale as FoVBackgroundScale
    from gammajax.reduce.info import info_table as info_table
    from gammajax.reduce.livetime import effective_livetime_map as effective_livetime_map
    from gammajax.reduce.livetime import livetime_map as livetime_map
    from gammajax.reduce.livetime import livetime_table as livetime_table
    from gammajax.reduce.livetime import sky_grid as sky_grid
    from gammajax.reduce.phase import PhaseBackground as PhaseBackground
    from gammajax.reduce.pipeline import reduce_spectra as reduce_spectra
    from gammajax.reduce.reflected import ReflectedRegions as ReflectedRegions
    from gammajax.reduce.reflected import WobbleRegions as WobbleRegions
    from gammajax.reduce.ring import AdaptiveRingBackground as AdaptiveRingBackground
    from gammajax.reduce.ring import RingBackground as RingBackground
    from gammajax.reduce.safe_mask import SafeMask as SafeMask
    from gammajax.reduce.stack import stack_by as stack_by
    from gammajax.reduce.stack import stack_spectra as stack_spectra
    from gammajax.reduce.theta_squared import theta_squared_table as theta_squared_table
    from gammajax.simulate.archive import simulate_dl3 as simulate_dl3

_HOME = {
    "Scalar": "_typing",
    "enable_compilation_cache": "cache",
    "background_counts": "data.background",
    "background_in_circle": "data.background",
    "group_observations": "data.grouping",
    "GTI": "data.gti",
    "Observations": "data.observations",
    "Ephemeris": "data.phase",
    "phase_fold": "data.phase",
    "DataStore": "data.store",
    "Datasets": "datasets.collection",
    "MapDataset": "datasets.cube",
    "MapDatasetOnOff": "datasets.cube",
    "FluxPointsDataset": "datasets.flux_points",
    "SpectrumDataset": "datasets.spectrum",
    "SpectrumDatasetOnOff": "datasets.spectrum",
    "GammajaxError": "errors",
    "energy_edges": "geom.axes",
    "SkyGrid": "geom.grid",
    "region": "io.regions",
    "flux_band": "infer.band",
    "posterior_band": "infer.band",
    "likelihood_ratio": "infer.compare",
    "contour": "infer.contour",
    "surface": "infer.contour",
    "coverage": "infer.coverage",
    "Evidence": "infer.evidence",
    "evidence": "infer.evidence",
    "energy_flux": "infer.derived",
    "flux": "infer.derived",
    "pivot_energy": "infer.derived",
    "Fit": "infer.fit",
    "fit": "infer.fit",
    "goodness": "infer.goodness",
    "asymmetric_errors": "infer.limits",
    "lower_limit": "infer.limits",
    "upper_limit": "infer.limits",
    "Posterior": "infer.posterior",
    "predictive": "infer.predictive",
    "Profile": "infer.profile",
    "profile": "infer.profile",
    "refit_toys": "infer.refit",
    "sample": "infer.sample",
    "Variational": "infer.variational",
    "variational": "infer.variational",
    "read_exclusion_mask": "io.skymap",
    "read_region": "io.regions",
    "predict_counts": "likelihood.expected",
    "Problem": "likelihood.problem",
    "nll": "likelihood.problem",
    "stat": "likelihood.problem",
    "asimov": "likelihood.toys",
    "fake": "likelihood.toys",
    "FoVBackground": "models.background",
    "FoVGradient": "models.background",
    "Models": "models.collection",
    "TemplateNPred": "models.counts_template",
    "BackgroundNorm": "models.nuisance",
    "EnergyScale": "models.nuisance",
    "ExposureNorm": "models.nuisance",
    "ExposureShape": "models.nuisance",
    "ExposureTilt": "models.nuisance",
    "Nuisance": "models.nuisance",
    "SkyModel": "models.sky",
    "ConstantFluxSpatial": "models.spatial",
    "ConstantSpatial": "models.spatial",
    "DiskSpatial": "models.spatial",
    "GaussianSpatial": "models.spatial",
    "GeneralizedGaussianSpatial": "models.spatial",
    "PiecewiseNormSpatial": "models.spatial",
    "PointSpatial": "models.spatial",
    "Shell2Spatial": "models.spatial",
    "ShellSpatial": "models.spatial",
    "SpatialModel": "models.spatial",
    "TemplateSpatial": "models.spatial",
    "BrokenPowerLaw": "models.spectral",
    "CompoundSpectralModel": "models.spectral",
    "ConstantSpectralModel": "models.spectral",
    "EBLAbsorptionNorm": "models.spectral",
    "ExpCutoffPowerLaw": "models.spectral",
    "ExpCutoffPowerLaw3FGL": "models.spectral",
    "ExpCutoffPowerLawNorm": "models.spectral",
    "GaussianSpectralModel": "models.spectral",
    "LogGaussianSpectralModel": "models.spectral",
    "LogParabola": "models.spectral",
    "LogParabola2": "models.spectral",
    "LogParabolaNorm": "models.spectral",
    "MeyerCrabSpectralModel": "models.spectral",
    "NormSpectralModel": "models.spectral",
    "PiecewiseNormSpectralModel": "models.spectral",
    "PowerLaw": "models.spectral",
    "PowerLaw2": "models.spectral",
    "PowerLawNorm": "models.spectral",
    "ScaleSpectralModel": "models.spectral",
    "SmoothBrokenPowerLaw": "models.spectral",
    "SpectralModel": "models.spectral",
    "SuperExpCutoffPowerLaw3FGL": "models.spectral",
    "SuperExpCutoffPowerLaw4FGL": "models.spectral",
    "SuperExpCutoffPowerLaw4FGLDR3": "models.spectral",
    "TemplateNDSpectralModel": "models.spectral",
    "TemplateSpectralModel": "models.spectral",
    "create_cosmic_ray_spectral_model": "models.spectral",
    "create_crab_spectral_model": "models.spectral",
    "param": "params.field",
    "table": "params.field",
    "weights": "params.field",
    "GeneralizedGaussian": "params.priors",
    "MultiNormal": "params.joint",
    "LogNormal": "params.priors",
    "LogUniform": "params.priors",
    "Normal": "params.priors",
    "Tempered": "params.priors",
    "Uniform": "params.priors",
    "reduce_spectra": "reduce.pipeline",
    "IRFBackground": "reduce.background",
    "reduce_maps": "reduce.cube_pipeline",
    "stack_maps": "reduce.cube_stack",
    "FoVBackgroundScale": "reduce.fov_scale",
    "info_table": "reduce.info",
    "effective_livetime_map": "reduce.livetime",
    "livetime_map": "reduce.livetime",
    "livetime_table": "reduce.livetime",
    "sky_grid": "reduce.livetime",
    "PhaseBackground": "reduce.phase",
    "ReflectedRegions": "reduce.reflected",
    "WobbleRegions": "reduce.reflected",
    "AdaptiveRingBackground": "reduce.ring",
    "RingBackground": "reduce.ring",
    "SafeMask": "reduce.safe_mask",
    "stack_by": "reduce.stack",
    "stack_spectra": "reduce.stack",
    "theta_squared_table": "reduce.theta_squared",
    "simulate_dl3": "simulate.archive",
}

__all__ = sorted([*_HOME, "plot"])  # noqa: PLE0605
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Names are found on first use: `import gammajax` stays fast, and numpyro loads only when something is sampled.
    if name == "plot":
        return importlib.import_module("gammajax.plot")
    if name not in _HOME:
        short = name.removesuffix("Model").removesuffix("Spectral").removesuffix("Spatial")
        ours = next((n for n in (short, f"{short}Spatial") if n in _HOME), None)
        hint = f"; Gammapy's {name} is gammajax.{ours}" if ours and ours != name else ""
        raise AttributeError(f"module 'gammajax' has no attribute {name!r}{hint}")
    value = getattr(importlib.import_module(f"gammajax.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
