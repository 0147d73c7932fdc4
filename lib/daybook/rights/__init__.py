"""The rights of a person: what is held on them, erased with proof, corrected, restricted, and kept for so long only."""
