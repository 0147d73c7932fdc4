"""Keccak-256 as Ethereum uses it (the padding of 2011, before SHA-3 was settled): hashlib has only the later one."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_RATE = 136


def _round_constants() -> list[int]:
    """The constants of the 24 rounds, from the shift register that defines them."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for place in range(7):
            if register & 1:
                constant |= 1 << ((1 << place) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return constants


_CONSTANTS = _round_constants()


def _turn(lane: int, by: int) -> int:
    return ((lane << by) | (lane >> (64 - by))) & _MASK if by else lane


def _permute(lanes: list[list[int]]) -> None:
    for constant in _CONSTANTS:
        columns = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        for x in range(5):
            mixed = columns[x - 1] ^ _turn(columns[(x + 1) % 5], 1)
            for y in range(5):
                lanes[x][y] ^= mixed
        x, y = 1, 0
        current = lanes[x][y]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], _turn(current, (step + 1) * (step + 2) // 2 % 64)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & _MASK)
        lanes[0][0] ^= constant


def keccak_256(message: bytes) -> bytes:
    """The 32 bytes of the message's digest."""
    padded = bytearray(message + b"\x01")
    padded += bytes(-len(padded) % _RATE)
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for block in range(0, len(padded), _RATE):
        for place in range(_RATE // 8):
            at = block + place * 8
            lanes[place % 5][place // 5] ^= int.from_bytes(padded[at : at + 8], "little")
        _permute(lanes)
    return b"".join(lanes[place % 5][place // 5].to_bytes(8, "little") for place in range(4))
