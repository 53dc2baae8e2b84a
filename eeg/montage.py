"""Electrode names, orders and regions of FACED and SEED-V."""

from collections.abc import Iterable

# Row order of FACED Processed_data (Chen et al. 2023, doi 10.1038/s41597-023-02650-w): 30 scalp electrodes, then the
# right and left mastoid (labelled HEOR and HEOL in the second cohort).
FACED_CHANNELS = (
    "Fp1 Fp2 Fz F3 F4 F7 F8 FC1 FC2 FC5 FC6 Cz C3 C4 T7 T8 CP1 CP2 CP5 CP6 Pz P3 P4 P7 P8 PO3 PO4 Oz O1 O2 A2 A1"
).split()

# Channel order inside a SEED-V .cnt file: 66 signals of a Quik-Cap, upper case.
SEEDV_FILE_CHANNELS = (
    "FP1 FPZ FP2 AF3 AF4 F7 F5 F3 F1 FZ F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCZ FC2 FC4 FC6 FT8 T7 C5 C3 C1 CZ C2 C4 C6 T8 M1 "
    "TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 M2 P7 P5 P3 P1 PZ P2 P4 P6 P8 PO7 PO5 PO3 POZ PO4 PO6 PO8 CB1 O1 OZ O2 CB2 "
    "VEO HEO"
).split()
SEEDV_NOT_EEG = ("M1", "M2", "VEO", "HEO")
SEEDV_CHANNELS = [name for name in SEEDV_FILE_CHANNELS if name not in SEEDV_NOT_EEG]

# Regions as arXiv 2606.00129 section 4 uses them, cut to the electrodes that a montage has; parietal and central
# members are our reading (the paper names only the regions).
REGIONS = {
    "occipital": ("Oz", "O1", "O2", "POz", "PO3", "PO4"),
    "parietal": ("Pz", "P3", "P4", "P7", "P8", "CP1", "CP2", "CP5", "CP6"),
    "central": ("Cz", "C3", "C4", "FC1", "FC2", "FC5", "FC6"),
    "frontal": ("Fp1", "FPz", "Fp2", "Fz", "F3", "F4", "F7", "F8"),
}

_ALIASES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


def canonical(name: str) -> str:
    """Upper-case electrode name in the 10-10 nomenclature (T3 becomes T7)."""
    upper = name.strip().upper()
    return _ALIASES.get(upper, upper)


def channel_indices(names: Iterable[str], *, montage: Iterable[str]) -> list[int]:
    """Positions of the electrodes in the montage, in the order asked for; absent ones are skipped.

    Args:
        names: electrode names, any case, old or new temporal names.
        montage: the electrodes that a recording has.

    Raises:
        ValueError: fewer than half of the named electrodes are in the montage.
    """
    position = {canonical(name): i for i, name in enumerate(montage)}
    wanted = [canonical(name) for name in names]
    found = [position[name] for name in wanted if name in position]
    if not found or 2 * len(found) < len(wanted):
        missing = [name for name in wanted if name not in position]
        raise ValueError(f"electrodes {missing} are not in the montage {sorted(position)}; name electrodes it has")
    return found
