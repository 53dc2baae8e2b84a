"""The comparison of several models in a terminal: every model against ratings, then every pair."""

from vaxis.fit import GATE
from vaxis.validity.comparison import NULLS

PUBLISHED = "published, fourteen models: mean .65, Qwen3 against other families .585; top tier r > .85"


def describe(result: dict) -> str:
    """Tables: every model against ratings, every pair, in each read-out; then the models that failed."""
    lines = []
    for readout, groups in result["readouts"].items():
        for group in (name for name in groups if name != "separation" and result["models"]):
            lines += ["", f"{readout} read-out, {groups[group]['texts']} {group}"]
            lines += _of_models(groups[group], result["models"], groups["separation"]) + _of_pairs(groups[group])
    failed = [f"  {name}: {reason}" for name, reason in result.get("failed", {}).items()]
    lines += ["", "failed:", *failed] if failed else []
    return "\n".join([*lines, *(["", PUBLISHED] if result["models"] else [])]).lstrip("\n")


def _of_models(found: dict, models: dict, separations: dict) -> list[str]:
    wide = max(24, *map(len, found["validity"]))
    lines = [
        f"  {'model':<{wide}} {'layer':>5} {'sep.':>6}   {'r with ratings [95 %]':<23} {'random texts |r|':<18} "
        f"{'random dir. 95 %':<17} {'tier' if 'tier' in next(iter(found['validity'].values())) else ''}"
    ]
    for name, row in found["validity"].items():
        lines.append(
            f"  {name:<{wide}} {models[name]['layer']:>5} {separations[name]:>+6.2f}   {row['r']:+.2f} "
            f"[{row['low']:+.2f}, {row['high']:+.2f}]    {row['null_median']:.2f}, 95 % {row['null_p95']:.2f}    "
            f"{row['random_directions_p95']:<17.2f} {row.get('tier', '')}"
        )
    weak = [name for name in found["validity"] if not separations[name] >= GATE]
    if weak:
        lines.append(f"  sep. below {GATE}, so that the sign of r means little: {', '.join(weak)}")
    return [line.rstrip() for line in lines]


def _of_pairs(found: dict) -> list[str]:
    if not found["pairs"]:
        return []
    rows = found["pairs"] | {"mean": {"r": found["mean"], **found["null_mean"]}}
    wide = max(46, *map(len, rows))
    lines = [f"  {'pair':<{wide}} {'r':>6}   random texts |r|     random directions |r|"]
    for name, row in rows.items():
        texts, directions = (row[null] for null in NULLS)
        lines.append(
            f"  {name:<{wide}} {row['r']:>+6.2f}   {texts['median']:.2f}, 95 % {texts['p95']:.2f}      "
            f"{directions['median']:.2f}, 95 % {directions['p95']:.2f}"
        )
    return lines
