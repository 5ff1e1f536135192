import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from made_spectra import EDGES, TRUE, counting, kernel, log_parabola, on_off, responses
from scipy.integrate import quad

import gammajax as gj
from gammajax.likelihood.problem import predictions


def predicted(datasets, models, **options):
    """Signal counts of each dataset, padding removed."""
    problem = gj.Problem(datasets, models, **options)
    out = [None] * len(datasets)
    for group, (signal, _) in zip(
        problem.groups, predictions(problem, problem.layout.values(problem.start)), strict=True
    ):
        for row, i in enumerate(group.index.tolist()):
            out[i] = np.asarray(signal[row])[: datasets[i].counts.size]
    return out


def by_hand(i, dnde):
    flux = [
        quad(lambda t: dnde(np.exp(t)) * np.exp(t), *np.log(pair), epsabs=0, epsrel=1e-11)[0]
        for pair in zip(TRUE[:-1], TRUE[1:], strict=True)
    ]
    return (np.array(flux) * responses(i)["exposure"]) @ kernel()


def test_against_integrals_by_scipy(spectra, source):
    def dnde(e):
        return 3e-11 * e ** (-2.4 - 0.1 * np.log(e))

    for i, got in enumerate(predicted(spectra, source)):
        np.testing.assert_allclose(got, by_hand(i, dnde), rtol=1e-8)


def test_nodes_converge(spectra, source):
    truth = predicted(spectra, source, nodes=16)[0]
    errors = [np.abs(predicted(spectra, source, nodes=n)[0] / truth - 1).max() for n in (1, 2, 3, 4)]
    assert errors[0] > 30 * errors[1] > 900 * errors[2] > 20000 * errors[3]


def test_linear_in_amplitude(spectra, source):
    for once, thrice in zip(
        predicted(spectra, source), predicted(spectra, source.set("*.amplitude", 9e-11)), strict=True
    ):
        np.testing.assert_allclose(thrice, 3 * once, rtol=1e-13)


def test_sources_add_up(spectra, source):
    hard = gj.SkyModel(gj.PowerLaw(index=1.5, amplitude=1e-13))
    parts = predicted(spectra, source), predicted(spectra, gj.Models(hard=hard))
    both = predicted(spectra, source.add(hard=hard))
    for a, b, c in zip(*parts, both, strict=True):
        np.testing.assert_allclose(a + b, c, rtol=1e-13)


def test_a_compound_is_the_sum_of_its_parts(spectra):
    a, b = gj.PowerLaw(index=1.5, amplitude=1e-13), gj.LogParabola(amplitude=1e-11, reference=1.0, beta=0.2)
    one = predicted(spectra, gj.Models(s=gj.SkyModel(a + b)))
    two = predicted(spectra, gj.Models(a=gj.SkyModel(a), b=gj.SkyModel(b)))
    for x, y in zip(one, two, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13)


def test_units_of_a_model_do_not_matter(spectra):
    tev = log_parabola()
    gev = log_parabola(amplitude="3e-10 m-2 s-1 GeV-1", reference="1000 GeV")
    assert gev.value("*.amplitude") == pytest.approx(3e-11)
    for x, y in zip(predicted(spectra, tev), predicted(spectra, gev), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_padding_changes_nothing(source):
    large, small = on_off(n=1), on_off(n=1, energy=EDGES[:9], energy_true=TRUE[:15], prefix="small")
    together = predicted(gj.Datasets([*small, *large]), source)
    np.testing.assert_allclose(together[0], predicted(small, source)[0], rtol=1e-13)
    np.testing.assert_allclose(together[1], predicted(large, source)[0], rtol=1e-13)


def test_a_cut_off_dispersion_is_not_renormalised(source):
    (dataset,) = counting(n=1)
    half = eqx.tree_at(lambda d: d.edisp, dataset, 0.5 * jnp.asarray(kernel()))
    np.testing.assert_allclose(predicted([half], source)[0], 0.5 * predicted([dataset], source)[0], rtol=1e-13)


def test_no_models_predict_nothing(spectra):
    assert all(np.all(x == 0) for x in predicted(spectra, gj.Models()))
