"""The straightforward way: each metric on its own with nltk, rouge-score, transformers, RDKit and torch.

`python -m benchmarks.metrics.naive KIND FILE` scores one file and prints JSON. METEOR needs WordNet 3.0
where NLTK looks for it (NLTK_DATA).
"""

import json
import sys
from pathlib import Path

from harness.metrics import files
from harness.metrics.reference import metric

CAPTIONS = ("bleu-2@scibert", "bleu-4@scibert", "rouge-1", "rouge-2", "rouge-l", "meteor@scibert")


def captions(pairs):
    return {name: metric(name)(pairs).value for name in CAPTIONS}


def molecules(pairs):
    from nltk.translate.bleu_score import corpus_bleu
    from rapidfuzz.distance import Levenshtein
    from rdkit import Chem, DataStructs, RDLogger
    from rdkit.Chem import MACCSkeys, rdFingerprintGenerator

    RDLogger.DisableLog("rdApp.*")
    rows = [(example.references[0], prediction.text) for example, prediction in pairs]
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2).GetSparseCountFingerprint

    def same(ref, out):
        mols = Chem.MolFromSmiles(ref), Chem.MolFromSmiles(out)
        return None not in mols and Chem.MolToInchi(mols[0]) == Chem.MolToInchi(mols[1])

    parsed = [(Chem.MolFromSmiles(ref), Chem.MolFromSmiles(out)) for ref, out in rows]
    valid = [(ref, out) for ref, out in parsed if ref is not None and out is not None]

    def similarity(fingerprint):
        values = [DataStructs.TanimotoSimilarity(fingerprint(a), fingerprint(b)) for a, b in valid]
        return sum(values) / len(values)

    return {
        "smiles-bleu": corpus_bleu([[list(ref)] for ref, _ in rows], [list(out) for _, out in rows]),
        "levenshtein": sum(Levenshtein.distance(ref, out) for ref, out in rows) / len(rows),
        "molecule-exact@molt5": sum(same(ref, out) for ref, out in rows) / len(rows),
        "validity@molt5": sum(Chem.MolFromSmiles(out) is not None for _, out in rows) / len(rows),
        "maccs@molt5": similarity(MACCSkeys.GenMACCSKeys),
        "morgan@molt5": similarity(morgan),
        "rdk@molt5": similarity(Chem.RDKFingerprint),
    }


def fcd(pairs):
    """Run fcd's torch network the way fcd 1.1 ran its own: 350 positions on either side."""
    import numpy as np
    import torch
    from fcd import calculate_frechet_distance, canonical_smiles, load_ref_model

    from harness.metrics.chemnet import SYMBOLS, symbols_1_1

    network = load_ref_model()

    def cloud(texts):
        valid = [s for s in canonical_smiles(list(texts)) if s]
        found = []
        for start in range(0, len(valid), 128):
            batch = np.zeros((len(valid[start : start + 128]), 350, len(SYMBOLS)), dtype=np.float32)
            for row, text in zip(batch, valid[start : start + 128], strict=True):
                symbols = symbols_1_1(text)
                row[np.arange(len(symbols)), symbols] = 1 / len(SYMBOLS)
            with torch.no_grad():
                found.append(network(torch.from_numpy(batch).transpose(1, 2)).numpy())
        activations = np.concatenate(found)
        return np.mean(activations, axis=0), np.cov(activations.T)

    (mu, sigma), (other_mu, other_sigma) = (
        cloud(texts) for texts in ([e.references[0] for e, _ in pairs], [p.text for _, p in pairs])
    )
    return {"fcd": calculate_frechet_distance(mu1=mu, sigma1=sigma, mu2=other_mu, sigma2=other_sigma)}


if __name__ == "__main__":
    kind, path = sys.argv[1], Path(sys.argv[2])
    rows = files.pair(files.read(path), None, str(path))
    print(json.dumps({"captions": captions, "molecules": molecules, "fcd": fcd}[kind](rows)))
