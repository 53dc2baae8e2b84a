"""What a run warns of stands in its result, in the verdict and in the report."""

import json
import logging
import warnings

from analysis.verdict_record import Verdict
from records import heard
from records.run import load_runs
from tests.finished_runs import edit_result, write_arms
from tests.runs import SMALL, train

LOUD = "the signals of sub023 exceed 1000 microvolt root mean square"


def test_warnings_and_loggers_of_the_project_are_heard_once_and_still_shown(capsys, monkeypatch):
    monkeypatch.setattr("warnings.showwarning", lambda message, *_: print(f"shown {message}"))
    with heard.listening(), warnings.catch_warnings():
        warnings.simplefilter("always")
        for _ in range(2):
            warnings.warn(LOUD, stacklevel=1)
        warnings.warn("use another function", DeprecationWarning, stacklevel=1)
        logging.getLogger("lightning_modules.heads").warning("the pool of %s is left out", "emod")
        logging.getLogger("somebody.else").warning("not ours")
        assert heard.so_far() == [LOUD, "the pool of emod is left out"]
    assert capsys.readouterr().out.count(f"shown {LOUD}") == 2
    with heard.listening():
        assert not heard.so_far(), "every run begins with an empty record"


def test_a_run_writes_what_it_warned_of(tmp_path):
    words = ("--loss=rsa", "--trainer.max_epochs=2", "--model.optimisation.warmup_epochs=3")
    train(*SMALL, *words, f"--run_dir={tmp_path / 'run'}", cache=tmp_path / "cache")
    found = json.loads((tmp_path / "run" / "result.json").read_text())["warnings"]
    assert any(heard.WITHIN_WARMUP in text for text in found)
    assert all(isinstance(text, str) for text in found)


def test_the_verdict_counts_who_warned_and_says_it_everywhere(tmp_path):
    write_arms(tmp_path)
    arms = [load_runs(tmp_path / name) for name in "ab"]
    for run in [*arms[0], *arms[1][:2]]:
        edit_result(run.path, warnings=[LOUD, heard.BEST_IS_LAST])
    verdict = Verdict.from_runs(*(load_runs(tmp_path / name) for name in "ab"))
    (told,) = [text for text in verdict.warnings if LOUD in text]
    assert told.startswith("5 of 5 without and 2 of 5 with said: ")
    assert not any(heard.BEST_IS_LAST in text for text in verdict.warnings), "how runs ended is counted elsewhere"
    assert told in json.loads(verdict.to_json())["warnings"]
    assert "WARNING: 5 of 5 without" in verdict.text()
