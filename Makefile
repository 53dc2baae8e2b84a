# Two commands: `make train` answers the question, `make test` checks the code. Both set up .venv by themselves.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: train test test-slow test-gpu coverage lint docs bench bench-networks bench-vaxis bench-sweeps calibrate clean

# One seed on the folds of new clips, for what survives there; --new_clips_seeds 2 or more also compare the arms on them.
train: .venv/ready  ## the main job: a verdict on an alignment loss, on a simulated FACED cohort
	$(PY) train.py --lengths 10 --new_clips --new_clips_seeds 1

test: .venv/ready
	$(PY) -m pytest -n auto --dist loadfile

coverage: .venv/ready  ## the tests and the share of lines they run, without those run in processes of their own
	$(PY) -m pytest -n auto --dist loadfile --cov --cov-report=term:skip-covered

test-slow: .venv/ready  ## the real language model, long DDP and resume checks
	$(PY) -m pytest -m slow

test-gpu: .venv/ready  ## what needs a CUDA device; the other tests do not look at it
	VAXIS_TEST_GPU=1 $(PY) -m pytest tests/test_gpu_defaults.py tests/test_gpu_runs.py tests/test_losses_syncs.py

lint: .venv/ready
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports
	.venv/bin/mypy

docs: .venv/docs  ## the site, into site/; a broken link or an undocumented page is an error
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

bench: .venv/ready  ## one table: this project, what users do today and the limit, with their ratios, in one run
	$(PY) -m benchmarks.table

bench-networks: .venv/ready  ## parameters, operations, memory and speed of every encoder beside its port
	$(PY) -m benchmarks.networks

bench-vaxis: .venv/ready  ## reading texts with a language model: the plain transformers loop against this project
	$(PY) -m benchmarks.vaxis --compile

bench-sweeps: .venv/ready  ## trials as processes against Optuna in one process with ddp_spawn
	$(PY) -m benchmarks.sweeps

calibrate: .venv/ready  ## p-values without an effect and intervals with one, over 500 simulated cohorts an analysis
	$(PY) -m benchmarks.calibrate --cohorts 500

.venv/ready: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "Python 3.11, 3.12 or 3.13 is needed; name one: make PYTHON=python3.12"'
	@echo "setting up .venv (once, a few minutes: PyTorch is large)"
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/docs: .venv/ready requirements-docs.txt
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

clean:  ## everything that can be made again, but not runs/
	rm -rf .venv .cache site .pytest_cache .ruff_cache .mypy_cache .coverage
