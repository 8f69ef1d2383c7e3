# The only door to this repository. `make` lists what it can do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The same surroundings for everybody: the tools of the lock, this ansible.cfg (Ansible ignores it in a folder that
# others can write to), the locale Ansible insists on, and no module that is not of this checkout.
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export LC_ALL := C.UTF-8
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DEBIAN_FRONTEND := noninteractive
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# A home that is not a folder of ours (as in some pipelines) is replaced: pip, ssh and Ansible write there.
ifneq ($(shell [[ "$${HOME:-}" == /* && -d "$$HOME" && -w "$$HOME" ]] && echo usable),usable)
export HOME := $(CURDIR)/build/home
$(shell mkdir -p $(CURDIR)/build/home)
endif

# A new lock gets a new environment, and so does a checkout that has moved: programs in it name its folder.
STAMP := .venv/made-from-$(shell cat requirements.lock <(pwd) | sha256sum | cut -c1-16)

LAB_PACKAGES := iproute2 mmdebstrap netcat-openbsd nftables openssh-client sshpass systemd-container xmlsec1
BENCH_PACKAGES := rsync util-linux

# Says where the interpreter itself is, which an environment (such as the one about to be replaced) only links to.
export FIND_PYTHON := import os, sys; sys.version_info >= (3, 11) or sys.exit(1); print(os.path.realpath(sys.executable))

# Tests on servers mostly wait, so two processes of them, with labs of their own, are sooner done than one.
SIDE_BY_SIDE := -n 2 --dist loadfile

PYTHON_FOLDERS := $(wildcard src lab server bench plugins tests molecule)

# $(call install,PACKAGE…): installs by apt what is missing, or says in one message what cannot be.
define install
missing=$$(for package in $(1); do \
  dpkg-query -W -f '$${db:Status-Status}\n' $$package 2>/dev/null | grep -qx installed || printf '%s ' $$package; done); \
if [[ -n "$$missing" ]]; then \
  log=$$(mktemp); \
  if [[ $$EUID -ne 0 ]] || ! { echo "installing $$missing"; \
      { apt-get -qq update && apt-get -qq -y --no-install-recommends install $$missing; } >"$$log" 2>&1 </dev/null; }; then \
    tail -n 5 "$$log" >&2; rm -f "$$log"; \
    echo "make: Debian packages are missing, and are not installed from here; as root: apt-get install $$missing" >&2; \
    exit 1; \
  fi; \
  rm -f "$$log"; \
fi
endef

# $(call quietly,COMMAND): runs it, and shows what it says only when it fails.
define quietly
{ output=$$($(1) 2>&1) || { echo "$$output" >&2; false; }; }
endef

.PHONY: help setup lab lab-packages test check lint prove bench bench-lock docs format lock clean

help: ## List what this Makefile can do
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

setup: $(STAMP) ## Make .venv from requirements.lock; installs Debian's python3-venv where that is missing

$(STAMP):
	@for candidate in python3.11 /usr/bin/python3.11 python3 /usr/bin/python3; do \
	  python=$$("$$candidate" -c "$$FIND_PYTHON" 2>/dev/null) && break; \
	done; \
	[[ -n "$$python" ]] || { echo "make: Python 3.11 or newer is needed; on Debian 12: apt-get install python3" >&2; exit 1; }; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { $(call install,python3-venv); python=/usr/bin/python3; }; \
	echo "making .venv with $$("$$python" --version)"; \
	rm -rf .venv; \
	"$$python" -m venv .venv; \
	export PIP_USER=0; \
	.venv/bin/python -m pip install --quiet --quiet --require-hashes --requirement requirements.lock; \
	.venv/bin/python -m pip install --quiet --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

lab-packages:
	@$(call install,$(LAB_PACKAGES))

lab: setup lab-packages ## Bring up the example installation on this machine, apply its configuration, show it (root)
	@.venv/bin/python -m lab.demo

check: setup ## Lint, types, unit, golden, plugin and tree tests: no root, no servers, under two minutes
	@status=0; \
	make lint || status=1; \
	pytest -q $(SIDE_BY_SIDE) -m "not lab and not prove" || status=1; \
	exit $$status

lint: setup ## Style, types, layers, YAML, roles and playbooks
	@status=0; \
	ruff check --quiet --output-format concise $(PYTHON_FOLDERS) || status=1; \
	ruff format --quiet --check --output-format concise $(PYTHON_FOLDERS) || { echo "make format puts these files into form"; status=1; }; \
	mypy --no-error-summary || status=1; \
	$(call quietly,lint-imports --no-logo) || status=1; \
	yamllint --strict --format parsable . || status=1; \
	$(call quietly,ansible-lint --offline --nocolor --format pep8) || status=1; \
	exit $$status

test: check lab-packages ## Everything that decides whether a change is good: check, then the tests on the lab (root, 60 minutes)
	@trap 'python -m lab down --tests' EXIT; \
	molecule test --scenario-name default; \
	pytest $(SIDE_BY_SIDE) -m "lab and not prove"

prove: setup lab-packages ## The full matrix of faults; writes docs/proofs.md (root; SEED=7 repeats, MOMENTS=100, FLEETS=4 at once)
	@trap 'python -m lab down --tests' EXIT; \
	pytest -m prove

bench: setup lab-packages ## Measure against peers and write docs/benchmarks.md (root, an hour; quick: python -m bench.delivery --quick)
	@$(call install,$(BENCH_PACKAGES))
	@python -m bench.compile
	@python -m bench.delivery
	@python -m bench.guard
	@python -m bench.page

bench-lock: ## Write the lock of what the benchmark compares with (bench/peers/pyinfra/requirements.txt)
	@[[ -x .venv/bin/pip-compile ]] || $(MAKE) setup
	@env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND='make bench-lock' \
	  pip-compile $(OPTIONS) --quiet --no-config --generate-hashes --allow-unsafe --strip-extras --no-emit-options \
	  --no-emit-index-url --no-emit-find-links --output-file bench/peers/pyinfra/requirements.txt bench/peers/pyinfra/requirements.in

docs: setup ## Generate docs/reference, and the job templates in examples/awx
	@tandem reference docs/reference
	@tandem awx examples/awx/vars/job_templates.yml

format: setup ## Put Python files into the project's form
	@ruff check --quiet --fix-only $(PYTHON_FOLDERS)
	@ruff format --quiet $(PYTHON_FOLDERS)

lock: ## Write requirements.lock for pyproject.toml; versions in it stay where they can (make lock OPTIONS=--upgrade)
	@[[ -x .venv/bin/pip-compile ]] || $(MAKE) setup
	@env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND='make lock' \
	  pip-compile $(OPTIONS) --quiet --no-config --extra dev --generate-hashes --allow-unsafe --strip-extras \
	  --no-emit-options --no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml

clean: ## Remove what was made here: .venv, caches, build results (a lab stays: lab down)
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .ansible src/*.egg-info
	@find . -name __pycache__ -prune -exec rm -rf {} +
