"""W&B dashboards as code: ``python -m tracking.dashboard --entity NAME [--save]``.

Four workspaces: saturation, interventions, sweep, run. Without ``--save`` they are printed as the JSON that the server
would be sent; neither a key nor a network is needed for that.
"""

import json
import os
import sys

from console.arguments import Arguments
from console.errors import one_line_errors
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
    how.add_argument("--print", action="store_true", help="print them as JSON (the default)")
    args = parser.parse_args(argv)
    prepare_environment()
    if args.save:
        if not args.entity:
            raise ValueError("--save needs --entity, the W&B user or team that owns the project")
        if reason := why_offline():
            raise ValueError(f"cannot save: {reason}; without --save the workspaces are printed")
    views = build(args.entity or "ENTITY", args.project, parameters=args.parameters.split(","))
    chosen = {name: view for name, view in views.items() if name in (args.only or NAMES)}
    if args.save:
        save(chosen)
    else:
        print(json.dumps({name: json.loads(to_json(view)) for name, view in chosen.items()}, indent=1))


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
