"""The embedded model: weights from a package, run by llama.cpp in a process of its own."""
