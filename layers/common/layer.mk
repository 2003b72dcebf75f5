# What the layers' Makefiles share. A layer's folder and this one are side by side where it is built,
# in the repository as in sam's copy: ProjectRootDirectory in func.template.yaml.
COMMON := $(dir $(lastword $(MAKEFILE_LIST)))
PYTHON ?= python3
SITE = $(ARTIFACTS_DIR)/python

PIP = $(PYTHON) -m pip --quiet --disable-pip-version-check
HASHED = --no-deps --require-hashes
INSTALL_WHEELS = $(PIP) install $(HASHED) --only-binary :all: --no-compile --target "$(SITE)" \
  -r requirements.txt

# Compiled third-party code is made a wheel, once. Layers and the tests' environment install the same
# file. VSV_WHEELS is where wheels are kept: each has a folder there, named by a digest of all that
# it is made of.
VSV_WHEELS ?= $(CURDIR)/build
WHEEL = $(VSV_WHEELS)/$(shell $(PYTHON) "$(COMMON)wheel.py" key .)
BUILD = $(WHEEL).build
TREE = $(BUILD)/tree
PACK = $(PYTHON) "$(COMMON)wheel.py" pack "$(TREE)" "$(WHEEL)"
INSTALL_OWN_WHEEL = $(PIP) install --no-deps --no-index --no-compile --target "$(SITE)" "$(WHEEL)"/*.whl

.PHONY: wheel install
wheel:
	@test -d "$(WHEEL)" || $(MAKE) --no-print-directory -f "$(firstword $(MAKEFILE_LIST))" compile

# Into the environment of $(PYTHON), in place of what PyPI or an earlier recipe brought there.
install: wheel
	@$(PIP) install --no-deps --no-index --force-reinstall "$(WHEEL)"/*.whl

# The same bytes from the same sources: no build ids, which hash the folder's name with the rest.
LINK = -Wl,--build-id=none -Wl,-z,relro,-z,now
export PYTHONHASHSEED = 0

# What is checked at the end, and what is left out: see there.
FINISH = $(PYTHON) "$(COMMON)finish.py" $(@:build-%=%) "$(SITE)" $(LIMIT_MB)
