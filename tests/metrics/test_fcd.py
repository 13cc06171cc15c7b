"""FCD's network and distance are those of the library, whose weights it reads."""

from pathlib import Path

import numpy as np
import pytest

from harness.chem import chemnet
from harness.metrics import fcd
from harness.metrics.rows import make_pairs

MOLECULES = ["C", "CCO", "c1ccccc1Cl", "CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]", "C" * 347, "CN" * 500, "O"]


@pytest.mark.parametrize("positions", [350, 351, 352, 353])
def test_activations_are_those_of_the_librarys_network(positions):
    torch, library = pytest.importorskip("torch"), pytest.importorskip("fcd")
    strings = [chemnet.symbols_1_1(smiles) for smiles in MOLECULES]
    x = np.zeros((len(strings), positions, len(chemnet.SYMBOLS)), dtype=np.float32)
    for i, string in enumerate(strings):
        x[i, np.arange(len(string)), string] = 1 / len(chemnet.SYMBOLS)
    with torch.no_grad():
        network = library.load_ref_model(str(Path(library.__file__).parent / chemnet.WEIGHTS))
        wanted = network(torch.from_numpy(x).transpose(1, 2)).numpy()
    together = chemnet.load().encode(strings, positions)
    assert together == pytest.approx(wanted, abs=1e-5)
    alone = np.concatenate([chemnet.load().encode([string], positions) for string in strings])
    assert alone == pytest.approx(wanted, abs=1e-5)


@pytest.mark.filterwarnings("ignore:The `disp` argument")
def test_the_distance_is_the_librarys():
    library = pytest.importorskip("fcd")
    rng = np.random.default_rng(0)
    clouds = [rng.normal(shift, 1 + shift, (40, 12)) for shift in (0.0, 0.5)]
    wanted = library.calculate_frechet_distance(
        *(statistic for cloud in clouds for statistic in (cloud.mean(axis=0), np.cov(cloud.T)))
    )
    assert fcd.distance(*(fcd.Cloud(cloud, np.ones(40)) for cloud in clouds)) == pytest.approx(wanted)


def test_a_molecule_said_twice_counts_twice():
    cloud = np.random.default_rng(0).normal(size=(3, 2))
    twice, counted = fcd.Cloud(cloud[[0, 1, 1, 2]], np.ones(4)), fcd.Cloud(cloud, np.array([1.0, 2.0, 1.0]))
    assert counted.mean == pytest.approx(twice.mean)
    assert counted.covariance == pytest.approx(twice.covariance)


def test_order_and_spelling_do_not_move_it_and_equal_sets_are_at_distance_0():
    pytest.importorskip("fcd")
    references = ["CCO", "CCN", "c1ccccc1", "CC(C)C"]
    found = fcd.fcd(make_pairs(["OCC", "CCC", "C1=CC=CC=C1", "not one"], references))
    again = fcd.fcd(make_pairs(["not one", "c1ccccc1", "CCC", "CCO"], references))
    assert found.value == again.value > 0
    assert fcd.fcd(make_pairs(references[::-1], references)).value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("answers", [["CCO", "not one"], ["", ""], ["not one", "nor this"]])
def test_fewer_than_two_molecules_on_a_side_have_no_distance(answers):
    score = fcd.fcd(make_pairs(answers, ["CCO", "CCN"]))
    assert score.value is None and "fewer than two valid molecules" in score.note
