"""W&B dashboards as code: ``python -m tracking.dashboard --entity NAME [--save]``.

Four workspaces: saturation, interventions, sweep, run. Without ``--save`` their panels are listed, and ``--json FILE``
writes what the server would be sent; neither a key nor a network is needed for that.
"""

import json
import os
import sys
from pathlib import Path

from console.arguments import Arguments
from console.errors import one_line_errors
from records.files import atomic
from tracking.server import prepare_environment, why_offline

NAMES = ("saturation", "interventions", "sweep", "run")


def main(argv: list[str]) -> None:
    """Print or save the workspaces.

    Args:
        argv: flags.

    Raises:
        ValueError: they cannot be saved; the message says why.
    """
    parser = Arguments("python -m tracking.dashboard", about=__doc__)
    parser.add_argument("--entity", help="W&B user or team; needed to save")
    parser.add_argument("--project", default="vaxis-align", help="W&B project")
    parser.add_argument("--only", choices=NAMES, action="append", help="this workspace; may be given again")
    parser.add_argument(
        "--parameters", default="loss_weight", help="of the sweep view: arguments of the loss, as in loss_weight"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--save", action="store_true", help="make new views in the project; needs a key and a network")
    how.add_argument("--json", type=Path, metavar="FILE", help="write what the server would be sent; - prints it")
    args = parser.parse_args(argv)
    prepare_environment()
    if args.save:
        if not args.entity:
            raise ValueError("--save needs --entity, the W&B user or team that owns the project")
        if reason := why_offline():
            raise ValueError(f"cannot save: {reason}; without --save the workspaces are listed")
    views = build(args.entity or "ENTITY", args.project, parameters=args.parameters.split(","))
    chosen = {name: view for name, view in views.items() if name in (args.only or NAMES)}
    if args.save:
        save(chosen)
    elif args.json:
        _write(args.json, json.dumps({name: json.loads(to_json(view)) for name, view in chosen.items()}, indent=1))
    else:
        print("\n\n".join(map(summary, chosen.values())))
        print("\n--entity NAME --save makes them on the server, --json FILE writes what it would be sent.")


def build(entity: str, project: str, *, parameters: list[str]) -> dict:
    """The workspaces by name.

    Args:
        entity: W&B user or team.
        project: W&B project.
        parameters: configuration names, the axes of the sweep view.
    """
    from tracking import dashboard_views as views

    return {
        "saturation": views.saturation(entity, project),
        "interventions": views.interventions(entity, project),
        "sweep": views.sweep(entity, project, parameters=parameters),
        "run": views.one_run(entity, project),
    }


def summary(view) -> str:
    """Sections and panels of a workspace."""
    lines = [view.name]
    for section in view.sections:
        lines.append(f"  {section.name}")
        lines += [f"    {title_of(panel)}" for panel in section.panels]
    return "\n".join(lines)


def title_of(panel) -> str:
    """Title of a panel, or what it shows where it has none."""
    title = getattr(panel, "title", None) or getattr(panel, "table_name", None)
    return f"{type(panel).__name__}: {title}" if title else type(panel).__name__


def _write(file: Path, content: str) -> None:
    if str(file) == "-":
        print(content)
        return
    with atomic(file) as partial:
        partial.write_text(content + "\n", encoding="utf-8")
    print(file)


def to_json(view) -> str:
    """What a server is sent for a workspace."""
    return view._to_model().model_dump_json(by_alias=True, exclude_none=True)


def save(views: dict) -> None:
    """Make new views, and print where they are.

    Raises:
        ValueError: the server refused one.
    """
    import wandb

    os.environ.setdefault("WANDB_HTTP_TIMEOUT", "10")
    for name, view in views.items():
        try:
            view.save()
        except (wandb.errors.Error, OSError, KeyError, TypeError) as error:
            raise ValueError(f"the server did not save {name}: {error}") from error
        print(f"{name:<14} {view.url}")


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
