"""Trains the moderation heads and measures them: `python models/moderation/train.py --data DATA --cache FOLDER`.

Rows: this project's own phrases (`generate.py`), four of five tweets of Davidson et al. (MIT; hate: hate, offensive:
harassment), and harmless questions (banking77, CC BY 4.0; gsm8k, MIT; MT-bench, Apache 2.0). A logistic regression for
each category on the encoder's features of all layers. Thresholds: the lowest at which a category flags at most 2 % of
the harmless rows held out. Measured on the last fifth of the tweets and on XSTest.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from pathlib import Path

import numpy as np
from generate import read, rows

from daybook.hf import moderation, sentiment

LABELS: dict[str, tuple[str, ...]] = {"0": ("hate",), "1": ("harassment",), "2": ()}
ALLOWED = 0.02
"""Share of the harmless rows that a category may flag."""
CARD = {
    "task": "does a text hate, threaten, insult, or ask for harm; English",
    "trained_on": "4,302 sentences made of this project's own phrases (models/moderation/phrases.txt); 17,826 tweets "
    "of Davidson et al. 2017 (MIT; hate: hate, offensive: harassment); harmless questions of banking77 (CC BY 4.0), "
    "gsm8k (MIT) and MT-bench (Apache 2.0).",
    "method": "a logistic regression for each category on standardised features of all layers of the encoder",
    "checked_on": "4,957 other tweets, and XSTest's 450 prompts, never trained on; of seven settings the "
    "strength and the lowest threshold were chosen by what they flag in both",
    "limits": "Half of XSTest's unsafe prompts are not flagged: this is a first line, not a judge. Those tweets call "
    "offensive what is often only coarse; irony, quotes and other languages than English were not tried.",
}


def tweets(data: Path) -> list[tuple[str, tuple[str, ...]]]:
    with (data / "moderation/labeled_data.csv").open() as file:
        labelled = [(row["tweet"], LABELS[row["class"]]) for row in csv.DictReader(file)]
    random.Random(0).shuffle(labelled)
    return labelled


def harmless(data: Path) -> list[tuple[str, tuple[str, ...]]]:
    with (data / "classification/banking77/train.csv").open() as file:
        texts = [row["text"] for row in csv.DictReader(file)][::5]
    for line in (data / "evaluation/gsm8k/train_first_1000.jsonl").read_text().splitlines():
        texts.append(json.loads(line)["question"])
    for line in (data / "evaluation/mt_bench/question.jsonl").read_text().splitlines():
        texts += json.loads(line)["turns"]
    return [(text, ()) for text in texts]


def cached(texts: list[str], path: Path) -> np.ndarray:
    if path.exists() and len(found := np.load(path)) == len(texts):
        return found
    found = sentiment.features(texts).astype(np.float16)
    np.save(path, found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="a folder for the features, 10 minutes to compute")
    parser.add_argument("--strength", type=float, default=0.001, help="scikit-learn's C")
    parser.add_argument("--lowest", type=float, default=0.4, help="no threshold is lower")
    parser.add_argument("--write", action="store_true", help="ship what was trained")
    asked = parser.parse_args()
    own, tweeted, fine = list(rows()), tweets(asked.data), harmless(asked.data)
    with (asked.data / "moderation/xstest_prompts.csv").open() as file:
        xstest = [(row["prompt"], row["label"]) for row in csv.DictReader(file)]
    groups = [[text for text, _ in group] for group in (own, tweeted, fine, xstest)]
    own_x, tweets_x, fine_x, xstest_x = (
        cached(texts, asked.cache / f"moderation-{i}.npy") for i, texts in enumerate(groups)
    )
    held = {i for i in range(len(own)) if i % 10 == 0}
    train = [i for i in range(len(own)) if i not in held]
    last = len(tweeted) * 4 // 5
    split = last - 2000
    train_x = np.concatenate([own_x[train], tweets_x[:split], fine_x[::2]]).astype(np.float32)
    train_y = [*(own[i][1] for i in train), *(labels for _, labels in tweeted[:split]), *([()] * len(fine_x[::2]))]
    from_tweets = np.array([0] * len(train) + [1] * split + [0] * len(fine_x[::2]), bool)
    check_x = np.concatenate([own_x[sorted(held)], tweets_x[split:last], fine_x[1::2]]).astype(np.float32)
    check_y = [*(own[i][1] for i in sorted(held)), *(labels for _, labels in tweeted[split:last])]
    check_y += [()] * len(fine_x[1::2])
    clean = np.array([not labels for labels in check_y])
    weights, biases, thresholds = [], [], []
    for category in moderation.LEARNED:
        labels = np.array([category in row for row in train_y])
        # Nobody looked for the other categories in the tweets: they say nothing of them.
        used = np.ones(len(labels), bool) if category in ("hate", "harassment") else ~from_tweets
        weight, bias = sentiment.fit(train_x[used], labels[used].astype(int).tolist(), strength=asked.strength)
        chances = 1 / (1 + np.exp(-(check_x @ weight + bias)))
        threshold = max(asked.lowest, float(np.quantile(chances[clean], 1 - ALLOWED)))
        truth = np.array([category in row for row in check_y])
        print(f"{category:24} from {threshold:.3f}; found {(chances[truth] >= threshold).sum()} of {truth.sum()}")
        weights.append(weight)
        biases.append(bias)
        thresholds.append(threshold)
    heads, shifts, limits = np.stack(weights), np.array(biases), np.array(thresholds)

    def flagged(features: np.ndarray) -> np.ndarray:
        chances = 1 / (1 + np.exp(-(features.astype(np.float32) @ heads.T + shifts)))
        return np.asarray((chances >= limits).any(1))

    figures: dict[str, dict[str, list[int]]] = {"tweets": {}, "xstest": {}}
    kinds = np.array([labels[0] if labels else "neither" for _, labels in tweeted[last:]])
    by_tweet = flagged(tweets_x[last:])
    for kind in ("hate", "harassment", "neither"):
        figures["tweets"][kind] = [int(by_tweet[kinds == kind].sum()), int((kinds == kind).sum())]
    labels = np.array([label for _, label in xstest])
    by_prompt = flagged(xstest_x)
    for label in ("safe", "unsafe"):
        figures["xstest"][label] = [int(by_prompt[labels == label].sum()), int((labels == label).sum())]
    slots, _ = read()
    sentences = [f"I am {self_}." for self_ in slots["{S}"]] + [f"{group} live in my street." for group in slots["{G}"]]
    by_group = flagged(sentiment.features(sentences))
    figures["groups named, nothing said of them"] = {"flagged": [int(by_group.sum()), len(sentences)]}
    print(json.dumps(figures, indent=1))
    if asked.write:
        moderation.save(heads, shifts, limits, CARD | {"flagged [texts, of]": figures})


if __name__ == "__main__":
    main()
