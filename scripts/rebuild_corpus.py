"""Rebuild the training clips (folds 1 to 3) from the packages that they come from, and compare them with existing ones.

    python scripts/rebuild_corpus.py OUTPUT [--packages NAME,…] [--compare CORPUS] [--cache DIR]
    python scripts/rebuild_corpus.py OUTPUT --table-from CORPUS

Needs a Debian or Ubuntu system (apt-get, dpkg-deb) and pip; nothing is installed. OUTPUT receives audio/, clips.csv and
report.csv. Instrument phrases are rendered anew from the soundfonts; they are other phrases than the existing ones.
--table-from writes the table of sources instead, from the clips.csv of a corpus; versions of packages that it doesn't
state are taken from OUTPUT/report.csv.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from dplass_cli.storage import make_folder
from tiny_models.corpus.rebuilding import rebuild_package
from tiny_models.corpus.reports import read_report, summary, write_clips, write_report
from tiny_models.corpus.sources import read_sources, table_from, write_sources

PROGRAMS = ("apt-get", "dpkg-deb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="folder of the rebuilt clips")
    parser.add_argument("--packages", help="rebuild only the clips of these packages, separated by commas")
    parser.add_argument("--compare", type=Path, metavar="CORPUS", help="folder with the audio/ to compare with")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep downloads here; default: deleted at the end")
    parser.add_argument("--table-from", type=Path, metavar="CORPUS", help="write the table of sources")
    arguments = parser.parse_args()
    report = read_report(arguments.output)
    if arguments.table_from:
        found = {outcome.package: outcome.version for outcome in report.values()}
        write_sources(table_from(arguments.table_from, found))
        return
    sources = read_sources()
    known = list(dict.fromkeys(source.package for source in sources))
    wanted = arguments.packages.split(",") if arguments.packages else known
    if unknown := sorted(set(wanted) - set(known)):
        parser.error(f"--packages: {', '.join(unknown)}: not in the table of sources")
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        parser.error(f"{', '.join(missing)}: not found; run this on Debian or Ubuntu")
    make_folder(arguments.output / "audio")
    with TemporaryDirectory() as downloads:
        cache = make_folder(arguments.cache) if arguments.cache else Path(downloads)
        for package in wanted:
            rows = [source for source in sources if source.package == package]
            outcomes = rebuild_package(rows, arguments.output / "audio", cache.resolve(), arguments.compare)
            report |= {outcome.filename: outcome for outcome in outcomes}
            print(summary(outcomes).to_string(header=False, index=False), flush=True)
            write_report(arguments.output, report)
            write_clips(arguments.output, sources)
    print(summary(list(report.values())).to_string(index=False))


if __name__ == "__main__":
    main()
