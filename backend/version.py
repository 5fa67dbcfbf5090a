"""The version of this package, from the one file that is there in every form of it: extension, wheel, checkout."""

import tomllib
from pathlib import Path

MANIFEST = Path(__file__).resolve().parents[1] / "blender_manifest.toml"

VERSION: str = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["version"]
