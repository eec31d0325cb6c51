#!/usr/bin/env python3
"""All models of resources/models.json, one after the other.

    pip install -r resources/export/requirements.txt
    python resources/export/all.py -o FOLDER
"""
import common
import dino
import raft
import vitmatte

if __name__ == "__main__":
    given = common.options(__doc__.splitlines()[0]).parse_args()
    common_options = (given.output, given.random, given.tiny, given.seed)
    for name in raft.OFFICIAL:
        raft.export(name, *common_options)
    for name in dino.PATCH:
        dino.export(name, *common_options)
    vitmatte.export(*common_options)
