"""One fit and one posterior for all tests of figures."""

import jax
import numpy as np
import pytest
from made_spectra import on_off

import gammajax as gj


@pytest.fixture(scope="session")
def spectra(source):
    """Three small on-off spectra with Poisson counts of the log parabola."""
    return gj.fake(on_off(), source, key=jax.random.key(1))


@pytest.fixture(scope="session")
def fitted(spectra, source):
    return gj.fit(spectra, source)


@pytest.fixture(scope="session")
def drawn(fitted):
    """Draws of the Gaussian that the fit found, in place of a sampler: their quantiles are known."""
    rng = np.random.default_rng(1)
    matrix = fitted.covariance.matrix
    mean = [fitted.models.value(p) for p in fitted.covariance.paths]
    samples = rng.multivariate_normal(mean, matrix, (4, 1000), check_valid="ignore")
    zeros = np.zeros((4, 1000))
    return gj.Posterior(fitted.models, fitted.covariance.paths, samples, {"diverging": zeros}, {})
