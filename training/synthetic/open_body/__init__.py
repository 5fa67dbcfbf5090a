"""The steps by which the open body is derived from MakeHuman's CC0 data; `build_body.py` runs them in order."""
