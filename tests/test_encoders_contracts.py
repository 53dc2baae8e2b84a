"""What an encoder can read, and the line that says what it cannot."""

import warnings
from dataclasses import replace

import pytest

from command_line.joining import joined
from datamodules.simulated import SimulatedFACED
from lightning_modules.decoder import Decoder
from losses.none import NoAlignment
from networks.cbramod import CBraMod
from networks.eeg_conformer import EEGConformer
from networks.eegnet import EEGNet
from networks.shapes import trials_of

FACED = trials_of("faced")
BANDS = trials_of("faced", features="de")


SMALL = replace(FACED, channels=FACED.channels[:6], shape=(6, 400), window_seconds=2)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            replace(FACED, sampling_rate=250, shape=(32, 2500)),
            r"reads 200 Hz, the data have 250; set data\.sampling_rate",
        ),
        (
            replace(FACED, window_seconds=2.5, shape=(32, 500)),
            r"these last 2\.5 s; set data\.window_seconds to a whole",
        ),
        (BANDS, r"data\.features is 'de'; set data\.features to raw"),
    ],
)
def test_cbramod_names_the_flag_that_is_wrong(spec, message):
    with pytest.raises(ValueError, match=message) as error:
        CBraMod().build(spec)
    assert "\n" not in str(error.value)


def test_what_an_encoder_cannot_read_is_refused_before_data_are_prepared(tmp_path):
    data = SimulatedFACED(root=str(tmp_path / "cohort"), features="raw", sampling_rate=250, cache=str(tmp_path))
    decoder = Decoder(network=CBraMod(), loss=NoAlignment())
    with pytest.raises(ValueError, match=r"set data\.sampling_rate to 200"):
        joined(decoder, data, None)
    assert not (tmp_path / "cohort").exists()


@pytest.mark.parametrize(("network", "needed"), [(EEGNet, 32), (EEGConformer, 99)])
def test_trials_that_are_too_short_are_refused(network, needed):
    short = replace(SMALL, shape=(6, needed - 1))
    with pytest.raises(ValueError, match=str(needed)):
        network().build(short)
    network().build(replace(SMALL, shape=(6, needed)))


@pytest.mark.parametrize(
    ("weights", "scale", "normalise", "warned"),
    [(None, 1.0, "none", False), ("f", 100.0, "none", False), ("f", 1.0, "none", True), ("f", 100.0, "train", True)],
)
def test_pretrained_weights_in_other_units_are_warned_of(weights, scale, normalise, warned):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        CBraMod(weights=weights).check_units(scale=scale, normalise=normalise)
    assert len(said) == warned
    assert all("set --data.scale 100 --data.normalise none" in str(one.message) for one in said)
