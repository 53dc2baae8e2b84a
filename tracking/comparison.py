"""A verdict or a table of interventions as W&B runs: ``python -m tracking.comparison FOLDER [--online]``.

One run a strategy, with the paired difference in its summary, so that the intervention dashboard can draw them beside
each other. Read are the files that ``train.py`` and ``python -m paper interventions`` leave; nothing is computed here.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any

from console.arguments import Arguments
from console.errors import one_line_errors
from records.reading import read_json, read_rows
from tracking.server import prepare_environment, stays_offline, why_offline

AGAIN = "make it again: the command that made it keeps the runs that are finished"
NUMBERS = ("change", "low", "high", "sd", "t", "p", "p_sign_flip", "smallest_resolvable", "base", "with", "chance")
TABLE_NUMBERS = (*NUMBERS, "p_holm", "p_bh", "published_change")


def main(argv: list[str]) -> None:
    """Write one W&B run for each comparison in a folder.

    Args:
        argv: flags.

    Raises:
        FileNotFoundError: the folder holds neither file.
        ValueError: a file is broken, or no row of the table is finished.
    """
    parser = Arguments("python -m tracking.comparison", about=__doc__)
    parser.add_argument("folder", type=Path, help="with verdict.json or table.csv")
    parser.add_argument("--project", default="vaxis-align", help="W&B project")
    parser.add_argument("--online", action="store_true", help="send them now; otherwise they wait for: wandb sync")
    args = parser.parse_args(argv)
    rows = comparisons(args.folder)
    prepare_environment()
    reason = why_offline() if args.online else "not asked for"
    if args.online and reason:
        print(stays_offline(args.folder, reason))
    pictures = [path for path in (args.folder / "verdict.png", args.folder / "forest.png") if path.is_file()]
    for row in rows:
        _write(row, args.folder, project=args.project, offline=bool(reason), pictures=pictures)
    where = f"{args.folder}/wandb, upload with: wandb sync {args.folder}/wandb/offline-run-*" if reason else "W&B"
    print(f"{len(rows)} comparison{'s' * (len(rows) > 1)} in {where}")


def comparisons(folder: Path) -> list[dict[str, Any]]:
    """Configuration and numbers of each strategy in a folder.

    Raises:
        FileNotFoundError: the folder holds neither file.
        ValueError: a file is broken, or no row of the table is finished.
    """
    verdict, table = folder / "verdict.json", folder / "table.csv"
    try:
        if verdict.is_file():
            return [_of_verdict(read_json(verdict, remedy=AGAIN))]
        if table.is_file():
            about = read_json(folder / "table.json", remedy=AGAIN)
            found = read_rows(table, remedy=AGAIN, has=("change",))
            rows = [_of_row(row, dataset=about["data"]) for row in found if row["change"]]
            if not rows:
                raise ValueError(f"no row of {table} is finished; run: python -m paper interventions --run")
            return rows
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder} holds a broken verdict or table ({error!r}); make it again") from error
    raise FileNotFoundError(f"neither verdict.json nor table.csv in {folder}; name the folder that train.py printed")


def _of_verdict(verdict: dict[str, Any]) -> dict[str, Any]:
    accuracy, paired = verdict["accuracy"], verdict["accuracy"]["paired"]
    numbers = {name: paired.get(name) for name in NUMBERS}
    # The interval that gave the judgement: over several looks it is wider than the t interval, all that format 1 had.
    judged = verdict.get("judged", paired)
    numbers |= {end: judged[end] for end in ("low", "high")}
    numbers |= {"change": paired["mean"], "smallest_resolvable": paired["resolvable"], "chance": verdict["chance"]}
    for name, arm in (("base", "baseline"), ("with", "treated")):
        numbers[name] = sum(accuracy[arm]) / len(accuracy[arm])
    config = {"dataset": verdict["dataset"], "strategy": verdict["loss"], "loss_weight": verdict["weight"]}
    config |= {"seeds": verdict["seeds"], "simulated": verdict["simulated"]}
    return {"name": verdict["loss"], "config": config, "numbers": numbers, "judgement": verdict["judgement"]}


def _of_row(row: dict[str, str], *, dataset: str) -> dict[str, Any]:
    config: dict[str, Any] = {"dataset": dataset, "strategy": row["label"], "row": row["row"], "family": row["family"]}
    config |= {"seeds": [int(seed) for seed in row["seeds"].split()], "simulated": row["simulated"] == "yes"}
    numbers = {name: float(row[name]) for name in TABLE_NUMBERS if row.get(name)}
    return {"name": f"{row['row']} {row['label']}", "config": config, "numbers": numbers, "judgement": row["verdict"]}


def _write(row: dict[str, Any], folder: Path, *, project: str, offline: bool, pictures: list[Path]) -> None:
    import wandb

    from tracking.run_logger import SETTINGS

    identity = hashlib.sha256(f"{folder.resolve()} {row['name']}".encode()).hexdigest()[:8]
    config = {"kind": "comparison", "study": folder.name, **row["config"]}
    with wandb.init(
        project=project, dir=folder, id=identity, resume="allow", name=row["name"], group=folder.name, config=config,
        job_type="comparison", tags=[config["dataset"], config["strategy"]], mode="offline" if offline else "online",
        settings=wandb.Settings(**SETTINGS),
    ) as run:  # fmt: skip
        numbers = {f"comparison/{name}": value for name, value in row["numbers"].items() if value is not None}
        run.summary.update({**numbers, "comparison/judgement": row["judgement"]})
        for path in pictures:
            run.log({"comparison/picture": wandb.Image(str(path))})


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
