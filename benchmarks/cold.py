"""A cold start: ``python -m benchmarks.cold PEER SLIDE LEVEL COL ROW`` in a process of its own.

Prints, as JSON and in seconds, the time to import what the peer needs, to open the slide and get
that tile, and to get the tile beside it.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.peers import PEERS
from vsv.pyramid.deepzoom import TileAddress

__all__: list[str] = []


def _main(name: str, path: str, level: str, col: str, row: str) -> None:
    (make,) = (peer for peer in PEERS if peer.__name__ == name)
    address = TileAddress(int(level), int(col), int(row))
    start = perf_counter()
    peer = make()
    imported = perf_counter()
    peer.open(Path(path))
    peer.answer(peer.request(address))
    first = perf_counter()
    request = peer.request(address._replace(col=address.col + 1))
    again = perf_counter()
    peer.answer(request)
    following = perf_counter()
    times = {"import": imported - start, "first": first - imported, "next": following - again}
    print(json.dumps(times))


if __name__ == "__main__":
    _main(*sys.argv[1:])
