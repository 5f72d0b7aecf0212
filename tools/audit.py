"""Known weaknesses of what is installed, by pip-audit; where no index of advisories can be reached, what changed since.

    python tools/audit.py [--lock]

An index that answers for nobody (a mirror without advisories) is none: pip-audit then skips every package and finds
nothing, which is no audit. In that case nothing is claimed, and versions are compared with tools/audited.txt: the list
that was last looked at, with its date and whether it was audited. --lock writes that list anew. Exit code 1 where a
weakness is known.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LIST = Path(__file__).parent / "audited.txt"
#: Share of the packages that an index must answer for.
ANSWERED = 0.9
SECONDS = 120


def asked() -> list[dict[str, Any]] | None:
    """What pip-audit says of each package that an index answered for; None where too few were, or none could be
    asked."""
    call = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--skip-editable"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=SECONDS)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    known = [p for p in packages if "skip_reason" not in p]
    return known if len(known) >= ANSWERED * len(installed()) else None


def installed() -> dict[str, str]:
    """Name -> version of all packages here but face3d."""
    found = {re.sub(r"[-_.]+", "-", d.name).lower(): d.version for d in importlib.metadata.distributions()}
    return {name: version for name, version in sorted(found.items()) if name != "face3d"}


def locked() -> tuple[str, dict[str, str]]:
    """The first line of the list, and its versions."""
    head, *lines = LIST.read_text(encoding="utf-8").splitlines()
    return head.removeprefix("# "), dict(line.split("==") for line in lines if line)


def differences(now: dict[str, str], then: dict[str, str]) -> list[str]:
    """Packages of the list that have another version now, and new ones."""
    return [f"{n} {then.get(n, 'not there')} -> {v}" for n, v in now.items() if then.get(n) != v]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--lock", action="store_true", help="write the list of what is installed now")
    lock = parser.parse_args().lock
    known, now = asked(), installed()
    weak = [(p["name"], p["version"], v["id"], v.get("fix_versions")) for p in known or [] for v in p["vulns"]]
    for name, version, advisory, fixed in weak:
        print(f"{name} {version}: {advisory}; mended in {', '.join(fixed or []) or 'no version yet'}")
    if known is not None:
        print(f"{len(known)} packages audited, {len(weak)} known weaknesses")
    else:
        said, then = locked() if LIST.exists() else ("no list", {})
        changed = differences(now, then)
        print(f"NOT audited: no index of advisories answered. Of {len(now)} packages {len(changed)} differ ({said})")
        print("\n".join(changed))
    if lock:
        how = "audited" if known is not None else "NOT audited: no index of advisories answered"
        head = f"# of {datetime.now(UTC).date().isoformat()}, Python {sys.version.split()[0]}; {how}"
        LIST.write_text("\n".join([head, *(f"{n}=={v}" for n, v in now.items())]) + "\n", encoding="utf-8")
    sys.exit(1 if weak else 0)


if __name__ == "__main__":
    main()
