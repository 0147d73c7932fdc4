"""Checks one exported trail, and nothing else: no Daybook, no database, no network. Python 3.9 and `cryptography`.

    python verify.py trail.jsonl --signer HEX [--seal sha256:…] [--key chain.key]

Exit code 0: proven. 3: something is changed, removed, inserted, reordered or cut off, or cannot be told. 2: no file.

What to hold beside the file, from another hand than the file's:
  --signer   the public key of whoever sealed it (`daybook audit seal` prints it; it stands in every seal).
  --seal     the digest of a seal that was noted elsewhere on its day: printed, mailed, time-stamped. With it a trail
             that was made up later as a whole, with all its seals, is found; without it, it is not.
  --key      a home's chain key, where it is shown to the auditor: then every link made with it is checked as well.

The file, one JSON value a line, in UTF-8:
  1. {"format": "daybook trail 1", "book": …, "exported_at": …}
  2. {"seq": 1, "link": HEX, "key": …, "entry": TEXT}           one for each entry, in order
     TEXT is the entry in its canonical bytes: a JSON object, keys sorted, no spaces; `time` in microseconds since 1970.
       digest = SHA-256(TEXT)
       link   = BLAKE2b-256 with the chain key over: the link before (32 bytes), seq (8 bytes, big-endian), digest;
                before the first one stands SHA-256("daybook audit chain 1"). `key` says which home's key it was: the
                first 16 hexadecimal digits of SHA-256("daybook key " + the key's 32 bytes)
  3. {"seal": TEXT}                                             one for each seal, in order
     TEXT is the seal's file. Its digest is "sha256:" and SHA-256(TEXT) in hexadecimal. It names the digest of the seal
     before it (`previous`), and of the chain: its first and last entry, the last one's link, and SHA-256 over the
     digests of its entries one after the other (`digests`). It is signed.
  4. {"format": "daybook trail end 1", "entries": …, "head": HEX, "lines": SHA-256 of all lines before, …}     signed
  A signed document: `signature` is Ed25519 by `signer` over the line "daybook signed document 1", a line feed, and the
  document without `signature` as JSON with sorted keys, separators "," and ":" and no escapes, in UTF-8.
  A seal may name gaps that restores left: {"restored": [{"kept": 12, "lost_to": 20}]}: after entry 12 comes 21.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GENESIS = hashlib.sha256(b"daybook audit chain 1").digest()


def plain(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def link(key, before, seq, digest):
    return hashlib.blake2b(before + seq.to_bytes(8, "big") + digest, key=key, digest_size=32).digest()


def signed_by(document):
    """The public key that signed the document; None where the signature is not good."""
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document["signer"]))
        key.verify(bytes.fromhex(document["signature"]), b"daybook signed document 1\n" + plain(unsigned))
    except (KeyError, TypeError, ValueError, InvalidSignature):
        return None
    return document["signer"].lower()


class Trail:
    """Reads the lines one by one and collects what is wrong."""

    def __init__(self, signers, noted, keys):
        self.signers, self.noted = signers, noted
        self.keys = {hashlib.sha256(b"daybook key " + key).hexdigest()[:16]: key for key in keys}
        self.problems, self.doubts = [], []
        self.hasher = hashlib.sha256()
        self.digests, self.links, self.made_with, self.said = {}, {}, {}, {}
        self.order, self.seals, self.gaps = [], [], {}
        self.book = self.end = None

    def read(self, lines):
        kinds = {"seq": self.entry, "seal": self.seal}
        for number, line in enumerate(lines, 1):
            try:
                value = json.loads(line)
                if self.end is not None:
                    self.problems.append(f"line {number}: it comes after the end")
                elif number == 1:
                    self.begin(value)
                elif value.get("format") == "daybook trail end 1":
                    self.finish(value)
                    continue
                else:
                    next(kinds[name] for name in kinds if name in value)(value)
            except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
                self.problems.append(f"line {number}: it is no line of a trail ({type(error).__name__})")
            self.hasher.update(line)
        self.judge()

    def begin(self, value):
        if value.get("format") != "daybook trail 1":
            self.problems.append(f"line 1: the format is {str(value.get('format'))[:40]!r}, not 'daybook trail 1'")
        self.book = value.get("book")

    def entry(self, value):
        seq, text = int(value["seq"]), value["entry"].encode()
        made, key = bytes.fromhex(value["link"]), str(value["key"])
        event = json.loads(text)
        said = (event["object"], event["details"]["digest"]) if event["action"] == "trail.sealed" else None
        if seq in self.digests:
            self.problems.append(f"entry {seq}: this number is there twice")
        self.order.append(seq)
        self.digests[seq], self.links[seq], self.made_with[seq] = hashlib.sha256(text).digest(), made, key
        if said:
            self.said[str(said[0])] = (seq, said[1])

    def seal(self, value):
        text = value["seal"].encode()
        document = json.loads(text)
        digest = "sha256:" + hashlib.sha256(text).hexdigest()
        self.seals.append((digest, document))
        if signed_by(document) in self.signers or not self.signers:
            self.gaps.update({int(gap["kept"]): int(gap["lost_to"]) + 1 for gap in document.get("restored", [])})

    def finish(self, value):
        self.end = value
        signer = signed_by(value)
        if signer is None:
            self.problems.append("end: it is not what was signed")
        elif self.signers and signer not in self.signers:
            self.problems.append(f"end: it is signed by {signer}, not by the signer given")
        if value.get("lines") != self.hasher.hexdigest():
            self.problems.append("end: the lines before are not those that were exported")

    def judge(self):
        if self.end is None:
            self.problems.append("the file is cut off: it has no end")
        self.check_order()
        last = self.check_seals()
        self.check_noted()
        self.check_links()
        if not self.signers:
            self.doubts.append("whose signatures these are was not checked: no --signer")
        after = sum(1 for seq in self.order if seq > last)
        if after:
            self.doubts.append(f"{after} entries after the last seal rest on the export's own signature")

    def check_order(self):
        before = 0
        for seq in self.order:
            if seq <= before:
                self.problems.append(f"entry {seq}: it comes after entry {before}")
            elif seq != before + 1 and self.gaps.get(before) != seq:
                self.problems.append(f"entries {before + 1} to {seq - 1}: they are missing")
            before = max(seq, before)
        head = self.links[before].hex() if before else GENESIS.hex()
        if self.end is not None and (self.end.get("entries"), self.end.get("head")) != (len(self.order), head):
            self.problems.append("end: the export had another number of entries or another head")

    def check_seals(self):
        """Each seal: signature, place, entries. Returns the last entry that one of them seals."""
        previous, last = None, 0
        for place, (digest, document) in enumerate(self.seals, 1):
            where = f"seal {place}"
            signer = signed_by(document)
            try:
                chain = document["chain"]
                if signer is None:
                    self.problems.append(f"{where}: it is not what was signed")
                elif self.signers and signer not in self.signers:
                    self.problems.append(f"{where}: it is signed by {signer}, not by the signer given")
                if document["number"] != place or document["previous"] != previous:
                    self.problems.append(f"{where}: it does not follow on the one before")
                if document["book"] != self.book:
                    self.problems.append(f"{where}: it is another book's")
                said = self.said.pop(f"{document['signer'][:16]} {place}", (0, None))[1]
                if said is None:
                    self.doubts.append(f"{where}: no entry says that it was made")
                elif said != digest:
                    self.problems.append(f"{where}: it is not the one that the trail says was made")
                self.check_range(where, chain)
                last = max(last, chain["last"])
            except (KeyError, TypeError, ValueError):
                self.problems.append(f"{where}: it is no seal")
            previous = digest
        own = {document.get("signer", "")[:16] for _, document in self.seals}
        for name, (seq, _) in self.said.items():
            if name.split(" ")[0] in own or not self.seals:
                self.problems.append(
                    f"seal {name.split(' ')[-1]}: entry {seq} says that it was made, and it is missing"
                )
        return last

    def check_range(self, where, chain):
        if chain["first"] is None:
            return
        hasher, missing = hashlib.sha256(), 0
        entries = [seq for seq in self.digests if chain["first"] <= seq <= chain["last"]]
        for seq in sorted(entries):
            hasher.update(self.digests[seq])
        missing = chain["entries"] - len(entries)
        if any(kept < chain["last"] < following for kept, following in self.gaps.items()):
            self.doubts.append(f"{where}: {missing} of its entries were lost by a restore from a backup, as it says")
        elif missing > 0:
            self.problems.append(f"{where}: {missing} of its entries {chain['first']} to {chain['last']} are missing")
        elif hasher.hexdigest() != chain["digests"] or self.links[chain["last"]].hex() != chain["link"]:
            self.problems.append(f"{where}: entries {chain['first']} to {chain['last']} are not those that were sealed")

    def check_noted(self):
        for digest in self.noted:
            if digest not in {there for there, _ in self.seals}:
                self.problems.append(f"the seal {digest} that was noted elsewhere is not here")
        if not self.noted:
            self.doubts.append("no seal was compared with one noted elsewhere: no --seal")

    def check_links(self):
        before, unknown = GENESIS, 0
        for seq in sorted(self.links):
            key = self.keys.get(self.made_with[seq])
            if key is None:
                unknown += 1
            elif link(key, before, seq, self.digests[seq]) != self.links[seq]:
                self.problems.append(f"entry {seq}: its link was not made with the key over the entry before it")
            before = self.links[seq]
        if unknown:
            self.doubts.append(
                f"{unknown} of {len(self.links)} links were not checked: their key was not given (--key)"
            )


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Check one exported trail of Daybook's.")
    parser.add_argument("file")
    parser.add_argument("--signer", action="append", default=[], help="public key that may sign, in hexadecimal")
    parser.add_argument("--seal", action="append", default=[], help="digest of a seal noted elsewhere: sha256:…")
    parser.add_argument("--key", action="append", default=[], help="file with a chain key in hexadecimal")
    given = parser.parse_args(arguments)
    try:
        keys = [bytes.fromhex(open(path).read().strip()) for path in given.key]
        trail = Trail({signer.lower() for signer in given.signer}, given.seal, keys)
        with open(given.file, "rb") as lines:
            trail.read(lines)
    except (OSError, ValueError) as error:
        print(f"verify.py: {error}", file=sys.stderr)
        return 2
    for problem in trail.problems:
        print(f"changed: {problem}")
    for doubt in trail.doubts:
        print(f"not shown: {doubt}")
    counts = f"{len(trail.order)} entries, {len(trail.seals)} seals"
    if trail.problems:
        print(f"Changed: {len(trail.problems)} findings in {counts}.")
        return 3
    if not given.signer:
        print(f"Cannot tell: {counts} fit together, but nobody said whose signature to trust.")
        return 3
    print(f"Proven: {counts} are what was signed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
