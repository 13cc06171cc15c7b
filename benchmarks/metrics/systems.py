"""Files to score: the two systems that are at hand, and as many more as a benchmark needs, made from them.

A made system answers each row as one of the two real ones did; half of its answers are changed in one
place, so that it says new strings about as often as another real system does.
"""

import random
import zipfile

HEADER = "input\tground truth\toutput\n"


def real(data, kind):
    """Return the rows (input, reference, answer) of the real systems of a kind, such as "smiles2caption"."""
    paths = sorted((data / "chebi20/molt5_predictions").glob(f"*-{kind}.txt"))
    return [[line.split("\t") for line in path.read_text("utf-8").split("\n")[1:] if line] for path in paths]


def made(systems, seed, change):
    """Return the rows of a made system."""
    draw = random.Random(seed)
    answered = [draw.choice(rows) for rows in zip(*systems, strict=True)]
    return [
        (asked, wanted, change(draw, said) if draw.random() < 0.5 else said)
        for asked, wanted, said in answered
    ]


def change_caption(draw, text):
    """Return a caption with one word in the place of another of its words."""
    words = text.split(" ")
    words[draw.randrange(len(words))] = draw.choice(words)
    return " ".join(words)


def change_smiles(draw, text):
    """Return a SMILES string with one carbon turned into nitrogen or oxygen."""
    places = [i for i, symbol in enumerate(text) if symbol == "C"]
    if not places:
        return text
    at = draw.choice(places)
    return text[:at] + draw.choice("NO") + text[at + 1 :]


CHANGES = {"smiles2caption": change_caption, "caption2smiles": change_smiles}


def write(path, rows):
    """Write rows as the table that `score` reads."""
    path.write_text(HEADER + "".join("\t".join(row) + "\n" for row in rows), "utf-8")
    return path


def several(data, folder, kind, count):
    """Write `count` systems of a kind, the real ones first, and return their files."""
    found = real(data, kind)
    found += [made(found[:2], seed, CHANGES[kind]) for seed in range(count - len(found))]
    return [write(folder / f"{kind}-{i}.tsv", rows) for i, rows in enumerate(found[:count])]


def many_rows(data, folder, kind, count):
    """Write one file of `count` rows of a kind."""
    found, rows, seed = real(data, kind), [], 0
    while len(rows) < count:
        rows += made(found, seed, CHANGES[kind])
        seed += 1
    return write(folder / f"{kind}-{count}.tsv", rows[:count])


def properties(data, folder, count):
    """Write captions of two LPM-24 submissions as references and answers: the real references are secret."""
    sides = []
    for team in ("qizhipei", "avaliev"):
        path = data / f"lpm24/final_evaluation/captioning/submissions/{team}.zip"
        with zipfile.ZipFile(path) as archive:
            sides.append(archive.read("submit.txt").decode("utf-8").split("\n")[:count])
    rows = [("", wanted.strip(), said.strip()) for wanted, said in zip(*sides, strict=True)]
    return write(folder / f"properties-{count}.tsv", rows)
