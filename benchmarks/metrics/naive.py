"""The straightforward way: each metric on its own with nltk, rouge-score, transformers, RDKit and torch.

`python -m benchmarks.metrics.naive KIND FILE` scores one file and prints JSON. METEOR needs WordNet 3.0
where NLTK looks for it (NLTK_DATA).
"""

import json
import sys
from pathlib import Path

from harness.metrics.reference import metric
from harness.scoring import answers

CAPTIONS = ("bleu-2@scibert", "bleu-4@scibert", "rouge-1", "rouge-2", "rouge-l", "meteor@scibert")


def captions(pairs):
    return {name: metric(name)(pairs).value for name in CAPTIONS}


def molecules(pairs):
    from nltk.translate.bleu_score import corpus_bleu
    from rapidfuzz.distance import Levenshtein
    from rdkit import Chem, DataStructs, RDLogger
    from rdkit.Chem import MACCSkeys, rdFingerprintGenerator

    RDLogger.DisableLog("rdApp.*")
    rows = texts_of(pairs)
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2).GetSparseCountFingerprint

    def same(ref, out):
        mols = Chem.MolFromSmiles(ref), Chem.MolFromSmiles(out)
        return None not in mols and Chem.MolToInchi(mols[0]) == Chem.MolToInchi(mols[1])

    def similarity(fingerprint):
        parsed = [(Chem.MolFromSmiles(ref), Chem.MolFromSmiles(out)) for ref, out in rows]
        valid = [(ref, out) for ref, out in parsed if ref is not None and out is not None]
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

    from harness.chem.chemnet import SYMBOLS, symbols_1_1

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


def properties(pairs):
    """Look for every property, and for both properties of every held-out pair, in every caption."""
    import ast

    from harness.metrics import properties as ours
    from harness.metrics import vocab
    from harness.metrics.reference import tokeniser

    split = tokeniser("scibert", pairs)
    sides = [[split(text.lower()) for text in texts] for texts in zip(*texts_of(pairs), strict=True)]
    tree = ours._read_tree(vocab.find(ours.TREE, pairs.vocab))
    pieces = {name: split(name.rsplit("__", 1)[-1].lower()) for name in ours._names(tree)}

    def has(tokens, pattern):
        return any(tokens[i : i + len(pattern)] == pattern for i in range(len(tokens) - len(pattern) + 1))

    f1 = {}
    for name, pattern in pieces.items():
        gold, said = ([has(tokens, pattern) for tokens in side] for side in sides)
        right = sum(g and s for g, s in zip(gold, said, strict=True))
        f1[name] = 2 * right / (sum(gold) + sum(said)) if sum(gold) + sum(said) else None
    tops = []
    for top, group in tree.items():
        members = []
        for sub, names in group.items():
            values = [
                f1[f"{top}__{sub}__{name}" if sub else f"{top}__{name}"] for name in dict.fromkeys(names)
            ]
            members += [mean(values)] if sub else values
        tops.append(mean(members))
    right = there = chosen = 0
    for line in vocab.find(ours.COMBOS, pairs.vocab).read_text("utf-8").splitlines():
        a, b = (split(name.lower()) for name in ast.literal_eval(line.split("\t")[0]))
        gold, said = ([has(tokens, a) and has(tokens, b) for tokens in side] for side in sides)
        right += sum(g and s for g, s in zip(gold, said, strict=True))
        there, chosen = there + sum(gold), chosen + sum(said)
    return {"lpm24-properties": mean(tops), "lpm24-combos": 2 * right / (there + chosen)}


def texts_of(pairs):
    return [(example.references[0], prediction.text) for example, prediction in pairs]


def mean(values):
    """Return LPM-24's mean: of defined values, and 1 where there are none."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else 1.0


KINDS = {"captions": captions, "molecules": molecules, "fcd": fcd, "properties": properties}

if __name__ == "__main__":
    kind, path = sys.argv[1], Path(sys.argv[2])
    rows = answers.pair(answers.read(path), None)
    print(json.dumps(KINDS[kind](rows)))
